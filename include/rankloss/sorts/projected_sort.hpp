// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// projected_sort: soft-sorted scores, by projecting the ranks n..1 over temperature onto the convex hull of
/// all orders of the scores.
///
///     z                    = (n, ..., 1) / temperature
///     quadratic: values    = argmin |v - z|^2 / 2
///     entropic:  values    = log argmin sum_i m_i (log m_i - z_i) - m_i
///
/// over the orders of the scores (quadratic) or of exp(scores) (entropic) and their mixtures. By isotonic
/// regression they fall into blocks, and in the block of value i
///
///     quadratic: value_i   = z_i - mean of the block's z + mean of its scores
///     entropic:  value_i   = z_i - logsumexp of the block's z + logsumexp of its scores
///     d(value_i) / d(s_k)  = 1 / block's size;  softmax of the block's scores at k;  0 outside of the block
///
/// Values fall (descending) or rise (ascending; scores and values change sign before and after). Blondel,
/// Teboul, Berthet, Djolonga: Fast differentiable sorting and ranking, ICML 2020, arXiv 2002.08871; soft_sort
/// of fast-soft-sort and torchsort, where temperature is called epsilon and the default order is ascending.
/// The entropic derivative in fast-soft-sort differs and is wrong.
///
/// - Exact to rounding. Time O(n) after the sort for values and for a product with the Jacobian; scratch
///   O(n). This is not a soft permutation matrix applied to the scores; for those see soft_sort and
///   neural_sort.
/// - Quadratic values sum to the sum of the scores and shift with them. Entropic values keep the sum of
///   exponentials instead (of minus the scores when ascending). They contract towards the score that comes
///   first, and are not suited to scores much further apart than 1.
/// - Gaps up to 1 / temperature stay as they are, and wider gaps become smaller: low temperatures sort hard,
///   high temperatures mix.
/// - Two blocks that just meet count as separate, and have the derivatives of separate blocks; equal scores
///   in different blocks have the derivatives of their positions.
/// - Edge cases: infinite scores count as the largest finite number of their type.
/// @throws std::invalid_argument from the functions below when an option is out of its range.
struct projected_sort {
  double temperature = 1.0;                               ///< 1e-15 to 1e300, in units of 1 / scores
  sort_direction direction = sort_direction::descending;  ///< which score comes first
  rankloss::regularization regularization =
      rankloss::regularization::quadratic;  ///< the distance that is least

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("direction", self.direction, options::choice<sort_direction>{});
    visit("regularization", self.regularization, options::choice<rankloss::regularization>{});
  }

  /// Soft-sorted values of one list, and products with the Jacobian as in soft_ranks. Values and cotangents
  /// are by position, tangents and gradients by item.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

/// sort_values: the soft-sorted scores, by position.
///
/// - Scratch O(n) of the context's first worker.
/// - Edge cases: an empty list has no values.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// score is NaN; then nothing has been written.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values(const projected_sort& how, const Scores& scores, detail::view_of<T> values,
                 detail::call_context ctx = {}) {
  detail::write_values<T>(how, scores, "values", values, ctx);
}

/// sort_values_pullback: overwrites gradient_k with sum_i cotangent_i d(value_i) / d(s_k); otherwise as
/// sort_values.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values_pullback(const projected_sort& how, const Scores& scores, detail::view_of<const T> cotangent,
                          detail::view_of<T> gradient, detail::call_context ctx = {}) {
  rank_pullback(how, scores, cotangent, gradient, ctx);
}

/// sort_values_push: overwrites change_i with sum_k d(value_i) / d(s_k) tangent_k; otherwise as sort_values.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values_push(const projected_sort& how, const Scores& scores, detail::view_of<const T> tangent,
                      detail::view_of<T> change, detail::call_context ctx = {}) {
  rank_push(how, scores, tangent, change, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/projected_sort.hpp>
#endif
