// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// neural_sort: the soft permutation of NeuralSort, on the band that it is.
///
///     P_ij = softmax_j ( ((n + 1 - 2 i) s_j - sum_k |s_j - s_k|) / temperature ),     i = 1 .. n
///
/// Row i is a distribution over the items, with its peak at the i-th greatest score; rows sum to 1, columns do not. Grover, Wang, Zweig, Ermon:
/// Stochastic optimization of sorting networks via continuous relaxations, ICLR 2019, arXiv 1903.08850. What is new here is the form in sorted
/// coordinates (docs/algorithms.md): entries below 4e-8 (float scores) or 1e-17 (double) of their row's peak are not computed.
///
/// - Time O(n log n + band) an operation, scratch O(n): a list of spread-out scores has a band of about sqrt(n) entries a row; one of equal
///   scores is dense, O(n^2) in time and O(n) in memory.
/// - Invariant under shifts; the gradient by the scores sums to 0. As temperature -> 0 it is the permutation that sorts.
/// - Edge cases: equal scores share their rows' weight equally, and |s_j - s_k| has derivative 0 there. Infinite scores count as the type's
///   largest finite number.
/// @throws std::invalid_argument from the verbs of sort.hpp when an option is out of its range.
struct neural_sort {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }

  /// The operator of one list; see soft_sort_operator.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/neural_sort.hpp>
#endif
