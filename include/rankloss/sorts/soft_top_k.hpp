// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// soft_top_k: the share of each item in the k largest, by a Laplace distribution around a threshold b.
///
///     p_i               = F((s_i - b) / temperature),  b such that sum_i p_i = k
///                         F(z) = e^z / 2 for z < 0, else 1 - e^-z / 2
///     f_i               = min(p_i, 1 - p_i) / temperature
///                         the density at s_i
///     d(p_i) / d(s_j)   = f_i [i = j] - f_i f_j / sum f
///     d(p_i) / dk       = f_i / sum f
///     d(p_i) / d(temperature) = -f_i (s_i - sum_j f_j s_j / sum f) / temperature
///
/// Struski, Bednarczyk, Podolak, Tabor: LapSum - One Method to Differentiate Them All: Ranking, Sorting and
/// Top-k Selection, ICML 2025, arXiv 2503.06242. Derivatives as in the paper, in O(n) each.
///
/// - Time O(n) after the sort, with two exponentials for each item; scratch O(n). Exact to rounding: between
///   two scores the equation for b is quadratic, and these two scores are found by one walk down the list,
///   which ends for any numbers.
/// - Invariant under shifts. The p_i sum to k up to rounding, the Jacobian is symmetric, and its rows sum to
///   0.
/// - Edge cases: k = 0 selects nothing and k >= n everything; all derivatives are 0 there. Equal scores have
///   equal shares. As temperature -> 0 this is the hard top k: the last item has the fractional part of k,
///   shared with items of equal score. As temperature -> infinity each p_i is k / n. Infinite scores count as
///   the ends of the type's range.
/// @throws std::invalid_argument from top_k and top_k_pullback when an option is out of its range.
struct soft_top_k {
  double k = 1.0;            ///< >= 0, how many items; need not be a whole number
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("k", self.k, options::real{.least = 0.0, .besides = options::besides::infinity});
    visit("temperature", self.temperature, options::temperature);
  }

  /// The selection from one list, in scratch of the caller's scope. Arrays are doubles in the order of the
  /// scores.
  ///
  ///     values()                       [n] p
  ///     pullback(cotangent, gradient)  gradient_j = sum_i cotangent_i d(p_i) / d(s_j)
  ///     push(tangent, change)          change_i   = sum_j d(p_i) / d(s_j) tangent_j
  ///     by_k(out)                      out_i      = d(p_i) / dk
  ///     by_temperature(out)            out_i      = d(p_i) / d(temperature)
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

/// top_k: the p of one list of scores.
///
/// - Scratch of the context's first worker.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// score is NaN; then nothing has been written.
template <detail::array Scores, score T = detail::element_of<Scores>>
void top_k(const soft_top_k& how, const Scores& scores, detail::view_of<T> values,
           detail::call_context ctx = {}) {
  detail::write_values<T>(how, scores, "values", values, ctx);
}

/// top_k_pullback: overwrites gradient_j with sum_i cotangent_i d(p_i) / d(s_j); otherwise as top_k.
template <detail::array Scores, score T = detail::element_of<Scores>>
void top_k_pullback(const soft_top_k& how, const Scores& scores, detail::view_of<const T> cotangent,
                    detail::view_of<T> gradient, detail::call_context ctx = {}) {
  rank_pullback(how, scores, cotangent, gradient, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/soft_top_k.hpp>
#endif
