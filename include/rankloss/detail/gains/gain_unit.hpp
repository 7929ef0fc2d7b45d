// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/gain.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The factor that brings gains or relevance near 1 where the largest is very small or very large; otherwise
/// 1.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double gain_unit(double largest) noexcept {
  return largest > 0.0 && !(largest >= 1e-30 && largest <= 1e30) ? unit_of(largest) : 1.0;
}

/// The greatest number(y) >= 0 of the items that weigh anything: what others are must not decide how those that count
/// are scaled. Without weights all items do.
template <class R, class Number>
[[nodiscard]] double largest_counted(const strided<const R>& relevance, const strided<const double>& weights,
                                     const Number& number) {
  double largest = 0.0;
  for (std::size_t i = 0; i < relevance.size(); ++i) {
    const double own = number(static_cast<double>(relevance[i]));
    largest = std::max(largest, weights.empty() || weights[i] > 0.0 ? own : 0.0);
  }
  return largest;
}

/// The greatest grade of the items that weigh anything, or a number that is not above 0.
///
/// @param scratch  of whose workers a long list may make use, or none
template <class R, class... Scratch>
[[nodiscard]] double largest_grade(const strided<const R>& relevance, const strided<const double>& weights,
                                   Scratch&... scratch) {
  if (relevance.size() == 0) return 0.0;
  if (weights.empty()) return static_cast<double>(extremes_of(relevance, scratch...).most);
  return largest_counted(relevance, weights, [](double y) { return y; });
}

/// The power of two by which fill_gains multiplies the gains. Exponential gains of grades beyond 100 are also
/// divided by 2^(largest grade); this factor does not contain that.
template <class R, class... Scratch>
[[nodiscard]] double unit_of_gains(gain kind, std::span<const double> table,
                                   const strided<const R>& relevance, const strided<const double>& weights,
                                   Scratch&... scratch) {
  if (kind == gain::table)
    return gain_unit(largest_counted(relevance, weights, [&](double y) { return worth_in(table, y); }));
  const double largest = largest_grade(relevance, weights, scratch...);
  return kind == gain::exponential && largest >= 1e-30 ? 1.0 : gain_unit(largest);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
