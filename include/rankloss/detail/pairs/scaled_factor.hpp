// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The power of two by which item weights are multiplied, so that no sum of weighted pairs overflows and none
/// underflows in float.
template <class T, class R>
[[nodiscard]] double weight_unit(const list<T, R>& items) noexcept {
  return items.weights.empty() ? 1.0 : unit_of(static_cast<double>(extremes_of(items.weights).most));
}

/// A factor for sums over pairs, as two factors: their product may overflow where the sum is so small that
/// the result does not.
struct scaled_factor {
  double first, second;  // second is a power of two

  [[nodiscard]] double of(double sum) const noexcept {
    return held_as<double>(opaque(held_as<double>(sum) * first) * second);
  }
  [[nodiscard]] scaled_factor over(double length) const noexcept { return {first / length, second}; }
};

/// factor / divisor * 2^exponent; 0 where the divisor is 0.
[[nodiscard]] inline scaled_factor scaled_factor_of(double factor, double divisor, int exponent) noexcept {
  const double quotient = divisor > 0.0 ? factor / divisor : 0.0;
  if (exponent == 0) return {quotient, 1.0};
  exponent = std::clamp(exponent, -2000, 2000);
  return {quotient * std::ldexp(1.0, exponent / 2), std::ldexp(1.0, exponent - exponent / 2)};
}

/// Writes values by position, times the factor, to their items.
template <class T, class S>
void write_by_position(std::span<S> from, const scaled_factor& scaled, std::span<const std::uint32_t> item,
                       const strided<T>& to, workspace& scratch) {
  if (to.empty()) return;
  for_each_item(scratch, item.size(), [=](std::size_t p) {
    to[item[p]] = held_as<T>(opaque(static_cast<double>(from[p]) * scaled.first) * scaled.second);
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
