// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <numbers>
#include <span>

namespace rankloss {

/// What a relevance grade is worth in a DCG.
enum class gain {
  exponential,  ///< 2^y - 1
  linear,       ///< y itself: the user's own values
  table,        ///< gain_table[y], for whole grades
};

/// How the best possible DCG is counted.
enum class ideal {
  sorted,             ///< gains in descending order at positions 1, 2, 3, ...: the DCG of a best order
  competition_ranks,  ///< each gain at 1 + the number of greater gains: ties share the best position, as in Listwise_ITR (2305.16566)
};

namespace detail {

/// Gains of one list, times the item weights, scaled by one factor a list where they would overflow: an NDCG does not depend on it.
template <class Arch, class R, class S>
void fill_gains(gain kind, std::span<const double> table, const strided<const R>& relevance, const strided<const double>& weights,
                std::span<S> gains) {
  using batch = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = relevance.size();
  if (n == 0) return;
  if (kind == gain::table) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto y = static_cast<double>(relevance[i]);
      const bool inside = y >= 0.0 && y < static_cast<double>(table.size());
      gains[i] = static_cast<S>(inside ? table[static_cast<std::size_t>(y)] : 0.0);
    }
  } else if (kind == gain::linear) {
    const auto [least, most] = extremes_of(relevance);
    const double largest = std::max(std::abs(static_cast<double>(least)), std::abs(static_cast<double>(most)));
    const double factor = largest > 1e30 ? 1.0 / largest : 1.0;
    for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(factor * static_cast<double>(relevance[i]));
  } else {
    const auto fill_from = [&](auto grades) {
      const auto largest = static_cast<double>(extremes_of(grades).most);
      // Beyond 2^100 the "- 1" has long been rounded away.
      const batch shift(largest > 100.0 ? largest : 0.0);
      const batch back(largest > 100.0 ? 1.0 : 0.0);
      const auto value = [&](const batch& y) { return exp2_minus_1(xsimd::max(y - shift, batch(-1000.0))) + back; };
      std::size_t i = 0;
      for (; i + w <= n; i += w) store_row<Arch>(gains.data() + i, value(load_row<Arch>(grades.data() + i)));
      if (i == n) return;
      alignas(64) double y[w]{};
      for (std::size_t l = 0; i + l < n; ++l) y[l] = static_cast<double>(grades[i + l]);
      value(batch::load_aligned(y)).store_aligned(y);
      for (std::size_t l = 0; i + l < n; ++l) gains[i + l] = static_cast<S>(y[l]);
    };
    if (relevance.stride() == 1) {
      fill_from(std::span<const R>(relevance.data(), n));
    } else {
      for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(relevance[i]);
      fill_from(std::span<const S>(gains));
    }
  }
  if (weights.empty()) return;
  const double largest = extremes_of(weights).most;
  const double factor = largest > 1e3 ? 1.0 / largest : 1.0;
  for (std::size_t i = 0; i < n; ++i) gains[i] *= static_cast<S>(factor * weights[i]);
}

}  // namespace detail
}  // namespace rankloss
