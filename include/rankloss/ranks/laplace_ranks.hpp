// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// laplace_ranks: soft ranks, in which each item counts the others by the distribution function of the
/// Laplace distribution.
///
///     rank_i             = base + sum_{j != i} F((s_j - s_i) / temperature)   descending; else s_i - s_j
///     F(z)               = e^z / 2 for z < 0, 1 - e^-z / 2 otherwise
///     d(rank_i) / d(s_j) = e^-|(s_j - s_i) / temperature| / (2 temperature)
///                          j != i, and minus their sum for j = i
///
/// Struski, Bednarczyk, Podolak, Tabor: LapSum - One Method to Differentiate Them All: Ranking, Sorting and
/// Top-k Selection, ICML 2025, arXiv 2503.06242, whose ranks are ascending from base 0; the published code
/// takes O(n^2) for their derivatives.
///
/// - Exact to rounding. Time O(n) after the sort: one exponential for each item and two running sums for the
///   ranks, and two more for a product with the Jacobian. Scratch O(n).
/// - Invariant under shifts. The Jacobian is symmetric and its rows sum to 0; a gradient sums to 0 up to
///   rounding, because it is computed from differences of cotangents. Ranks sum to n (n - 1) / 2 + n base.
/// - Edge cases: equal scores share the rank in the middle. Infinite scores rank first or last. As
///   temperature -> 0 these are the ranks of hard_ranks with ties by average.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct laplace_ranks {
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
#include <rankloss/cpu/ranks/laplace_ranks.hpp>
#endif
