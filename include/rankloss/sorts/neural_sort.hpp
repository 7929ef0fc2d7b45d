// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// neural_sort: the soft permutation of NeuralSort, computed on a band around the diagonal.
///
///     P_ij = softmax_j ( ((n + 1 - 2 i) s_j - sum_k |s_j - s_k|) / temperature ),     i = 1 .. n
///
/// Row i is a distribution over the items with its peak at the i-th largest score. Rows sum to 1, columns do
/// not. Grover, Wang, Zweig, Ermon: Stochastic optimization of sorting networks via continuous relaxations,
/// ICLR 2019, arXiv 1903.08850. The form in sorted coordinates is of this library
/// (docs/algorithms/neural_band.md): entries below 4e-8 (float scores) or 1e-17 (double) of the peak of their
/// row are not computed.
///
/// - Time O(n log n + band) for an operation, scratch O(n). A list of spread-out scores has a band of about
///   sqrt(n) entries in each row. A list of equal scores is dense and takes O(n^2) time, with O(n) memory.
/// - Invariant under shifts; the gradient by the scores sums to 0. As temperature -> 0 it is the permutation
///   that sorts.
/// - Edge cases: equal scores share the weight of their rows equally, and |s_j - s_k| has derivative 0 there.
///   Infinite scores count as the largest finite number of the type.
/// @throws std::invalid_argument from the functions of sort.hpp when an option is out of its range.
struct neural_sort {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
  }

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
