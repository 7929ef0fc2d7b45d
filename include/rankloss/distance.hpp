// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <array>
#include <cmath>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// How far apart two vectors of length 1 are whose cosine is s. Losses whose margins are distances take it as
/// an option.
enum class distance {
  cosine,             ///< 1 - s, which has a meaning for similarities of any kind
  euclidean,          ///< sqrt(2 - 2 s); 0 where s is above 1
  squared_euclidean,  ///< 2 - 2 s
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(distance) noexcept {
  return {"cosine", "euclidean", "squared_euclidean"};
}

/// distance_of: the distance for a similarity s; decreasing in s.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double distance_of(double s, distance kind) noexcept {
  if (kind == distance::cosine) return 1.0 - s;
  if (kind == distance::squared_euclidean) return 2.0 * (1.0 - s);
  // A quarter of the square, which is finite for any s; the root has the same digits.
  const double quarter = 0.5 - 0.5 * s;
  return quarter > 0.0 ? 2.0 * std::sqrt(quarter) : 0.0;
}

/// distance_slope: its derivative by s; 0 for a Euclidean distance of 0, where it has none.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double distance_slope(double s, distance kind) noexcept {
  if (kind == distance::cosine) return -1.0;
  if (kind == distance::squared_euclidean) return -2.0;
  const double d = distance_of(s, kind);
  return d > 0.0 ? -1.0 / d : 0.0;
}

}  // namespace rankloss::inline RANKLOSS_ABI
