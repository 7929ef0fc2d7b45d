// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// sigmoid_ranks: soft ranks, in which each item counts the others by a sigmoid.
///
///     rank_i              = base + sum_{j != i} sigmoid((s_j - s_i) / temperature)
///                           descending; s_i - s_j when ascending
///     d(rank_i) / d(s_j)  = sigmoid'((s_j - s_i) / temperature) / temperature
///                           j != i, and minus their sum for j = i
///
/// Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures,
/// Information Retrieval 13 (2010).
///
/// - Time O(n K) after a sort, or without one where scores are dense; scratch O(n). For float scores the
///   error of a rank is at most 4e-8 for each near item; for double scores it is that of rounding. The method
///   is that of sndcg (docs/algorithms/sigmoid_sums.md).
/// - Invariant under shifts. The Jacobian is symmetric, and its rows sum to 0. Ranks sum to n (n - 1) / 2 + n
///   base.
/// - Edge cases: equal scores share the rank in the middle. Infinite scores rank first or last. As
///   temperature -> 0 these are the ranks of hard_ranks with ties by average.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct sigmoid_ranks {
  double temperature = 1.0;                               ///< 1e-15 to 1e300, in units of the scores
  sort_direction direction = sort_direction::descending;  ///< which score has the first rank
  double base = 1.0;                                      ///< rank of the first

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("direction", self.direction, options::choice<sort_direction>{});
    visit("base", self.base, options::any_finite);
  }

  /// Ranks of one list; see soft_ranks.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/ranks/sigmoid_ranks.hpp>
#endif
