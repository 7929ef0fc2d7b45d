// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/finite.hpp>
#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/weighted_mean.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numbers>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// The gain of a relevance grade y in a DCG.
enum class gain {
  exponential,  ///< 2^y - 1
  linear,       ///< y itself: the user's own values
  table,        ///< gain_table[y], for whole grades
};

/// How the ideal DCG is computed.
enum class ideal {
  sorted,             ///< gains in descending order at positions 1, 2, 3, ...
  competition_ranks,  ///< each gain at 1 + the number of greater gains, as in Listwise_ITR (2305.16566)
};

namespace detail {

/// Checks the fields `gain` and `gain_table` of a loss or metric.
inline void check_gain(gain kind, std::span<const double> table) {
  require((kind == gain::table) == !table.empty(), "gain_table: size ", table.size(), ", expected ",
          kind == gain::table ? "one gain a grade" : "none unless gain is gain::table");
  for (std::size_t i = 0; i < table.size(); ++i)
    require(within(table[i], 0.0, 1e30), "gain_table: ", table[i], " at grade ", i, ", expected 0 to 1e30");
}

/// Whether a relevance has a gain; gains are at least 0. With a table every relevance has one: it is 0 where
/// the table has no entry.
[[nodiscard]] constexpr bool takes_gain(gain kind, double y) noexcept { return kind == gain::table || y >= 0.0; }
inline constexpr std::string_view expects_gain = "at least 0";

/// Whether any item of the list has a gain above 0.
template <class T, class R>
[[nodiscard]] bool any_gain(const list<T, R>& items, gain kind, std::span<const double> table) noexcept {
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    if (!items.weights.empty() && !(items.weights[i] > 0.0)) continue;
    const auto y = static_cast<double>(items.relevance[i]);
    if (kind == gain::table ? y >= 0.0 && y < static_cast<double>(table.size()) && table[static_cast<std::size_t>(y)] > 0.0 : y > 0.0) return true;
  }
  return false;
}

/// The factor that brings gains or relevance near 1 where the largest is very small or very large; otherwise
/// 1.
[[nodiscard]] inline double gain_unit(double largest) noexcept {
  return largest > 0.0 && !(largest >= 1e-30 && largest <= 1e30) ? unit_of(largest) : 1.0;
}

/// The gain of a grade in a table: 0 where it has no entry.
[[nodiscard]] inline double worth_in(std::span<const double> table, double y) noexcept {
  return y >= 0.0 && y < static_cast<double>(table.size()) ? table[static_cast<std::size_t>(y)] : 0.0;
}

/// The power of two by which fill_gains multiplies the gains. Exponential gains of grades beyond 100 are also
/// divided by 2^(largest grade); this factor does not contain that.
template <class R>
[[nodiscard]] double unit_of_gains(gain kind, std::span<const double> table, const strided<const R>& relevance) {
  double largest = 0.0;
  if (kind == gain::table) {
    for (std::size_t i = 0; i < relevance.size(); ++i) largest = std::max(largest, worth_in(table, static_cast<double>(relevance[i])));
  } else if (relevance.size() > 0) {
    largest = static_cast<double>(extremes_of(relevance).most);
    if (kind == gain::exponential && largest >= 1e-30) return 1.0;
  }
  return gain_unit(largest);
}

/// Gains of one list times the item weights. Where they would overflow or lose digits they are scaled by a
/// factor of the list, on which an NDCG does not depend. A relevance below 0, which data checks refuse,
/// counts as 0 when data are not checked, so that quotients of gains stay finite.
template <class Arch, class R, class S>
void fill_gains(gain kind, std::span<const double> table, const strided<const R>& relevance, const strided<const double>& weights,
                std::span<S> gains) {
  using batch = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = relevance.size();
  if (n == 0) return;
  if (kind == gain::table) {
    const double unit = unit_of_gains(kind, table, relevance);
    for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(unit * worth_in(table, static_cast<double>(relevance[i])));
  } else if (kind == gain::linear) {
    const double unit = unit_of_gains(kind, table, relevance);
    for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(unit * std::max(static_cast<double>(relevance[i]), 0.0));
  } else {
    const auto fill_from = [&](const auto& grades, const auto& row_at) {
      const auto largest = static_cast<double>(extremes_of(grades).most);
      if (largest > 0.0 && largest < 1e-30) {  // 2^y - 1 = y ln 2
        const double unit = gain_unit(largest);
        for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(std::numbers::ln2 * (unit * std::max(static_cast<double>(grades[i]), 0.0)));
        return;
      }
      // Beyond 2^100 the "- 1" is below the rounding error.
      const batch shift(largest > 100.0 ? largest : 0.0);
      const batch lowest(largest > 100.0 ? -1000.0 : 0.0);
      const batch back(largest > 100.0 ? 1.0 : 0.0);
      const auto value = [&](const batch& y) { return exp2_minus_1(xsimd::max(y - shift, lowest)) + back; };
      std::size_t i = 0;
      for (; i + w <= n; i += w) store_row<Arch>(gains.data() + i, value(row_at(i)));
      if (i == n) return;
      alignas(64) double y[w]{};
      for (std::size_t l = 0; i + l < n; ++l) y[l] = static_cast<double>(grades[i + l]);
      value(batch::load_aligned(y)).store_aligned(y);
      for (std::size_t l = 0; i + l < n; ++l) gains[i + l] = static_cast<S>(y[l]);
    };
    if (relevance.stride() == 1) {
      fill_from(std::span<const R>(relevance.data(), n), [&](std::size_t i) { return load_row<Arch>(relevance.data() + i); });
    } else if constexpr (std::is_same_v<R, S>) {
      // A column is copied first: loading it one row of lanes at a time takes twice the time.
      for (std::size_t i = 0; i < n; ++i) gains[i] = static_cast<S>(relevance[i]);
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
  const double largest = extremes_of(weights).most;
  const double factor = largest > 1e3 || largest < 1e-3 ? unit_of(largest) : 1.0;
  for (std::size_t i = 0; i < n; ++i) gains[i] *= static_cast<S>(factor * weights[i]);
}

}  // namespace detail
}  // namespace rankloss::inline RANKLOSS_ABI
