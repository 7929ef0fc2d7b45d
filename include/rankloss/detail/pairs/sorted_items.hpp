// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A list of items in descending order of their scores.
template <class T, std::size_t C>
struct sorted_items {
  std::size_t n = 0;
  /// a pair counts if its upper item is among the first `counted`
  std::size_t counted = 0;
  std::span<double> scores;           ///< [n] descending
  std::span<std::uint32_t> levels;    ///< [n] numbers of the levels of relevance, rising with it
  std::array<std::span<T>, C> upper;  ///< [n] factors of the weight, see weight_channels
  std::array<std::span<T>, C> lower;  ///< [n]
  std::span<T> weights;               ///< [n] of a pair's more relevant item, or empty
  /// [levels] or empty: the weight of a pair is multiplied by the difference of the gains of its levels
  std::span<const double> gains;

  /// The factor on the weight of a pair of these two levels, where there are gains.
  [[nodiscard]] double difference(std::size_t level, std::size_t other) const noexcept {
    return std::abs(gains[level] - gains[other]);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
