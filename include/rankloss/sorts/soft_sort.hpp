// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The distance of two scores.
enum class sort_distance {
  absolute,  ///< |s_i - s_j|; temperature is in units of the scores
  squared,   ///< (s_i - s_j)^2; temperature is in units of their squares
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(sort_distance) noexcept {
  return {"absolute", "squared"};
}

/// What a soft sort returns. The gradients by the scores are those of the soft permutation in both cases.
enum class sort_forward {
  soft,  ///< the soft permutation
  hard,  ///< the exact permutation, the argmax of each soft row: the straight-through estimator
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(sort_forward) noexcept {
  return {"soft", "hard"};
}

/// soft_sort: SoftSort. Row i is a softmax over the distances of the scores from the i-th largest one, s_[i].
///
///     P_ij                  = softmax_j(-|s_[i] - s_j|^p / temperature)                           p = 1 or 2
///     d(c^T P v) / d(s_k)   = sum_ij c_i P_ij (v_j - (P v)_i) d(-|s_[i] - s_j|^p / temperature) / d(s_k)
///
/// Prillo, Eisenschlos: SoftSort: A Continuous Relaxation for the argsort Operator, ICML 2020, arXiv
/// 2006.16038.
///
/// - p = 1: time O(n) after the sort, with one exponential for each item; scratch O(n). Exact to rounding.
/// - p = 2: time O(n + band) exponentials; the band is the pairs within sqrt((40 + log n) temperature) of
///   each other. What is left out is below 1e-17 of a row. Scratch O(n). Where all scores lie within a
///   temperature, for example if they are equal, the band is all n^2 pairs.
/// - to_matrix is O(n^2).
/// - Rows sum to 1, columns do not. Invariant under shifts of all scores; gradients sum to 0 up to rounding.
///   For p = 1 and two items this is NeuralSort.
/// - Edge cases: equal scores share their rows evenly and get no gradient from each other; with
///   sort_forward::hard they are in the order of the list. Infinite scores count as the ends of the type's
///   range. As temperature -> 0 this is the exact sort.
/// @throws std::invalid_argument from the functions of sort.hpp when an option is out of its range.
struct soft_sort {
  double temperature = 1.0;                          ///< 1e-15 to 1e300, in units of the distance
  sort_distance distance = sort_distance::absolute;  ///< p
  sort_forward forward = sort_forward::soft;         ///< what apply, apply_transposed and to_matrix use

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("distance", self.distance, options::choice<sort_distance>{});
    visit("forward", self.forward, options::choice<sort_forward>{});
  }

  /// The permutation of one list; see soft_sort_operator.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/soft_sort.hpp>
#endif
