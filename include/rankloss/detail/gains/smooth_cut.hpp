// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The factor of a smooth cut and its derivatives with respect to the rank.
template <class V>
struct cut_factor {
  V value, slope, curvature;
};

/// A smooth form of [rank <= cutoff] for real ranks: 1 up to cutoff, 0 from cutoff + 1 on, and a cubic
/// between, so that whole ranks count as in a metric@cutoff. V is double or a vector of lanes. The functions
/// of lanes are found by the type of their arguments, so that this header needs no SIMD library.
template <class V>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline cut_factor<V> smooth_cut(
    const V& rank, double cutoff) noexcept {
  const V t = [&] {
    const V beyond = rank - V(cutoff);
    if constexpr (std::floating_point<V>)
      return beyond < V(0.0) ? V(0.0) : V(1.0) < beyond ? V(1.0) : beyond;
    else
      return min(max(beyond, V(0.0)), V(1.0));
  }();
  const V value = V(1.0) - t * t * (V(3.0) - V(2.0) * t);
  const V slope = V(-6.0) * t * (V(1.0) - t);
  const V curvature = V(12.0) * t - V(6.0);
  const auto falls = t > V(0.0) && t < V(1.0);
  if constexpr (std::floating_point<V>)
    return {value, slope, falls ? curvature : V(0.0)};
  else
    return {value, slope, select(falls, curvature, V(0.0))};
}

/// The same for one rank and the cutoff of a metric, of which 0 keeps all ranks.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline cut_factor<double> smooth_cut(double rank,
                                                                        std::size_t cutoff) noexcept {
  if (cutoff == 0) return {1.0, 0.0, 0.0};
  return smooth_cut(rank, static_cast<double>(cutoff));
}

/// factor * sum_i values_i cut(rank_i), and its derivatives with respect to the ranks unless by_rank is
/// empty.
[[nodiscard]] inline double sum_of_cut(std::span<const double> ranks, std::span<const double> values,
                                       std::size_t cutoff, double factor,
                                       std::span<double> by_rank) noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const cut_factor<double> cut = smooth_cut(ranks[i], cutoff);
    sum += values[i] * cut.value;
    if (!by_rank.empty()) by_rank[i] = held_as<double>(factor * values[i] * cut.slope);
  }
  return held_as<double>(factor * sum);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
