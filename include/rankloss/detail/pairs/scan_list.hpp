// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A list of items in the order of their scores.
template <class T, std::size_t C>
struct scan_list {
  std::size_t n = 0;
  std::size_t counted = 0;            ///< pairs count of which the upper item is among the first so many
  std::span<double> scores;           ///< [n] descending
  std::span<std::uint32_t> levels;    ///< [n] numbers of the levels of relevance, rising with it
  std::array<std::span<T>, C> upper;  ///< [n] factors of the weight, see weight_channels
  std::array<std::span<T>, C> lower;  ///< [n]
  std::span<T> weights;               ///< [n] of a pair's more relevant item, or empty
  std::span<const double>
      gains;  ///< [levels] or empty: the weight of a pair is times the difference of those of its levels

  /// What the weight of a pair of two levels is times, where there are gains.
  [[nodiscard]] double difference(std::size_t level, std::size_t other) const noexcept {
    return std::abs(gains[level] - gains[other]);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
