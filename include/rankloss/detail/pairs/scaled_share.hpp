// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// What item weights are multiplied by, a power of two: no sum of weighted pairs overflows, and none is lost
/// in a float.
template <class T, class R>
[[nodiscard]] double weight_unit(const list<T, R>& items) noexcept {
  return items.weights.empty() ? 1.0 : unit_of(static_cast<double>(extremes_of(items.weights).most));
}

/// A factor on what pairs add up to, in two: their product may be beyond the largest double, and what it
/// multiplies so small that it is not.
struct scaled_share {
  double first, second;  // second is a power of two

  [[nodiscard]] double of(double sum) const noexcept {
    return held_as<double>(held_as<double>(sum) * first * second);
  }
  [[nodiscard]] scaled_share over(double length) const noexcept { return {first / length, second}; }
};

/// factor / divisor times 2^exponent; 0 where the divisor is.
[[nodiscard]] inline scaled_share scaled_share_of(double factor, double divisor, int exponent) noexcept {
  const double share = divisor > 0.0 ? factor / divisor : 0.0;
  if (exponent == 0) return {share, 1.0};
  exponent = std::clamp(exponent, -2000, 2000);
  return {share * std::ldexp(1.0, exponent / 2), std::ldexp(1.0, exponent - exponent / 2)};
}

/// From places to items.
template <class T, class S>
void write_by_place(std::span<S> from, const scaled_share& share, std::span<const std::uint32_t> item,
                    const strided<T>& to) noexcept {
  if (to.empty()) return;
  for (std::size_t p = 0; p < item.size(); ++p)
    to[item[p]] = held_as<T>(static_cast<double>(from[p]) * share.first * share.second);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
