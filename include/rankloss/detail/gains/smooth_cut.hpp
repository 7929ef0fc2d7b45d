// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// How many of the first n items a cutoff keeps; a cutoff of 0 keeps all.
[[nodiscard]] inline std::size_t counted_by(std::size_t cutoff, std::size_t n) noexcept {
  return cutoff == 0 ? n : std::min(cutoff, n);
}

/// A smooth form of [rank <= cutoff] for real ranks, with its slope: 1 up to cutoff, 0 from cutoff + width
/// on, and a cubic polynomial between. With a width of up to 1, whole ranks therefore count as in a
/// metric@cutoff. A cutoff of 0 keeps all ranks.
struct smooth_cut {
  double value = 1.0;
  double slope = 0.0;

  smooth_cut(double rank, std::size_t cutoff, double width = 1.0) noexcept {
    if (cutoff == 0) return;
    const double t = std::clamp((rank - static_cast<double>(cutoff)) / width, 0.0, 1.0);
    value = 1.0 - t * t * (3.0 - 2.0 * t);
    slope = -6.0 * t * (1.0 - t) / width;
  }
};

/// factor * sum_i values_i cut(rank_i), and its derivatives with respect to the ranks unless by_rank is
/// empty.
[[nodiscard]] inline double sum_of_cut(std::span<const double> ranks, std::span<const double> values,
                                       std::size_t cutoff, double factor,
                                       std::span<double> by_rank) noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const smooth_cut cut(ranks[i], cutoff);
    sum += values[i] * cut.value;
    if (!by_rank.empty()) by_rank[i] = held_as<double>(factor * values[i] * cut.slope);
  }
  return held_as<double>(factor * sum);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
