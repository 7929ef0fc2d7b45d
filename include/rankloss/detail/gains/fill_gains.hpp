// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Gains of one list times the item weights. Where they would overflow or lose precision they are scaled by
/// one factor for the whole list, on which an NDCG does not depend. A relevance below 0, which data checks
/// reject, counts as 0 when data are not checked, so that quotients of gains stay finite.
template <class Arch, class R, class S>
void fill_gains(gain kind, std::span<const double> table, const strided<const R>& relevance,
                const strided<const double>& weights, std::span<S> gains, workspace& scratch) {
  using batch = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = relevance.size();
  if (n == 0) return;
  const even_pieces pieces(n, tuning::piece_items);
  const auto fill = [&](const auto& item) {
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) gains[i] = static_cast<S>(item(i));
    });
  };
  const auto fill_rows = [&](const auto& grades, const auto& row_at, const auto& value) {
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      std::size_t i = pieces[p].begin;
      const std::size_t end = pieces[p].end;
      for (; i + w <= end; i += w) store_row<Arch>(gains.data() + i, value(row_at(i)));
      if (i == end) return;
      alignas(64) double y[w]{};
      for (std::size_t l = 0; i + l < end; ++l) y[l] = static_cast<double>(grades[i + l]);
      value(batch::load_aligned(y)).store_aligned(y);
      for (std::size_t l = 0; i + l < end; ++l) gains[i + l] = static_cast<S>(y[l]);
    });
  };
  if (kind == gain::table) {
    const double unit = unit_of_gains(kind, table, relevance, weights, scratch);
    fill([&](std::size_t i) { return unit * worth_in(table, static_cast<double>(relevance[i])); });
  } else if (kind == gain::linear) {
    const double unit = unit_of_gains(kind, table, relevance, weights, scratch);
    fill([&](std::size_t i) { return unit * std::max(static_cast<double>(relevance[i]), 0.0); });
  } else {
    const auto fill_from = [&](const auto& grades, const auto& row_at) {
      const double largest = weights.empty() ? static_cast<double>(extremes_of(grades, scratch).most)
                                             : largest_grade(relevance, weights);
      if (largest > 0.0 && largest < 1e-30) {  // 2^y - 1 is y ln 2 up to rounding
        const double unit = gain_unit(largest);
        return fill([&](std::size_t i) {
          return std::numbers::ln2 * (unit * std::max(static_cast<double>(grades[i]), 0.0));
        });
      }
      // What weighs nothing may have a greater grade.
      const batch most(std::max(largest, 0.0));
      if (largest <= 1000.0) {
        const batch unit(largest > 100.0 ? std::exp2(-largest) : 1.0);
        return fill_rows(grades, row_at, [=](const batch& y) {
          return exp2_minus_1(xsimd::min(xsimd::max(y, batch(0.0)), most)) * unit;
        });
      }
      // 2^(y - largest) (1 - 2^-y)
      fill_rows(grades, row_at, [=](const batch& y) {
        const batch held = xsimd::min(xsimd::max(y, batch(0.0)), most);
        const batch share = batch(0.0) - exp2_minus_1(-xsimd::min(held, batch(1000.0)));
        return exp2_minus_near(xsimd::min(most - held, batch(1000.0)), exp2m1_12) * share;
      });
    };
    if (relevance.stride() == 1) {
      fill_from(std::span<const R>(relevance.data(), n),
                [&](std::size_t i) { return load_row<Arch>(relevance.data() + i); });
    } else if constexpr (std::is_same_v<R, S>) {
      // A strided column is copied first; loading it one row of lanes at a time would take twice the time.
      fill([&](std::size_t i) { return relevance[i]; });
      fill_from(std::span<const S>(gains), [&](std::size_t i) { return load_row<Arch>(gains.data() + i); });
    } else {
      fill_from(relevance, [&](std::size_t i) {
        alignas(64) double y[w];
        for (std::size_t l = 0; l < w; ++l) y[l] = static_cast<double>(relevance[i + l]);
        return batch::load_aligned(y);
      });
    }
  }
  if (weights.empty()) return;
  // Weights are in units of the heaviest item that is worth anything: the others may be heavier by any factor.
  double heaviest = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) heaviest = std::max(heaviest, gains[i] > S{0} ? weights[i] : 0.0);
  const double factor = heaviest > 1e3 || heaviest < 1e-3 ? unit_of(heaviest) : 1.0;
  for (std::size_t i = 0; i < n; ++i) {
    // A weight that is too light for S may have a great gain.
    const S weighted = static_cast<S>(static_cast<double>(gains[i]) * (factor * weights[i]));
    // Not 0 times a weight that is too heavy, nor a gain that is too great times 0.
    gains[i] = gains[i] > S{0} && weights[i] > 0.0 ? weighted : S{0};
    largest = std::max(largest, static_cast<double>(gains[i]));
  }
  if (largest >= 1e-30) return;
  const double unit = unit_of(largest);  // the heaviest item may be worth the least
  for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(unit * static_cast<double>(gains[i]));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
