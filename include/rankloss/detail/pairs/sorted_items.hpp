// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
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
  std::span<double> scores;         ///< [n] descending
  std::span<std::uint32_t> levels;  ///< [n] numbers of the levels of relevance, rising with it
  /// [n] factors of the weight, see weight_channels: doubles for either type, because they are summed up before their
  /// differences are formed
  std::array<std::span<double>, C> upper, lower;
  std::span<T> weights;  ///< [n] of a pair's more relevant item, or empty
  /// [levels] or empty: the weight of a pair is multiplied by the difference of the gains of its levels
  std::span<const double> gains;

  /// The positions [begin, end) as a list of their own. Weights go on behind its end, since whole vectors are
  /// read of them.
  [[nodiscard]] sorted_items part(std::size_t begin, std::size_t end) const noexcept {
    sorted_items to = *this;
    to.n = end - begin;
    to.counted = std::clamp(counted, begin, end) - begin;
    to.scores = scores.subspan(begin, to.n);
    to.levels = levels.subspan(begin, to.n);
    for (std::size_t c = 0; c < C; ++c) {
      to.upper[c] = upper[c].subspan(begin, to.n);
      to.lower[c] = lower[c].subspan(begin, to.n);
    }
    if (!weights.empty()) to.weights = weights.subspan(begin);
    return to;
  }

  /// The factor on the weight of a pair of these two levels, where there are gains.
  [[nodiscard]] double difference(std::size_t level, std::size_t other) const noexcept {
    return std::abs(gains[level] - gains[other]);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
