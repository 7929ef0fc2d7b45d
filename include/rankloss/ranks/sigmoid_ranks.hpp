// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// sigmoid_ranks: smooth ranks, in which each item counts the others by a sigmoid.
///
///     rank_i              = base + sum_{j != i} sigmoid((s_j - s_i) / temperature)         descending; s_i - s_j when ascending
///     d(rank_i) / d(s_j)  = sigmoid'((s_j - s_i) / temperature) / temperature              j != i, and minus their sum for j = i
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
  double temperature = 1.0;                   ///< 1e-15 to 1e300, in units of the scores
  rank_order order = rank_order::descending;  ///< which score has the first rank
  double base = 1.0;                          ///< rank of the first

  void validate() const {
    detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature,
                    ", expected 1e-15 to 1e300");
    detail::require(detail::is_finite(base), "base: ", base, ", expected a finite number");
  }

  /// Ranks of one list; see smooth_ranks.
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
