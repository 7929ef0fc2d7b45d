// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// What the weights of the pairs of a circle loss are in its gradient.
enum class circle_weights {
  constant,        ///< numbers, as in the paper's gradient and in published code
  differentiated,  ///< functions of the scores: the gradient is the slope of the value
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(circle_weights) noexcept {
  return {"constant", "differentiated"};
}

/// circle: the circle loss, which weighs each pair of a query by how far it is from where it should be.
///
///     a_p      = max(0, 1 + margin - s_p),  a_n = max(0, s_n + margin)
///     query(s) = log(1 + sum_n exp(gamma a_n (s_n - margin)) sum_p exp(-gamma a_p (s_p - 1 + margin)))
///     d(query)/d(s_p) = - c gamma a_p * share of p in the sum over positives
///     d(query)/d(s_n) =   c gamma a_n * share of n in the sum over negatives
///
/// over positives p, items of relevance > 0, and negatives n, all others; c is 1 - exp(-query). These are the
/// derivatives with the weights a held constant, as published. With circle_weights::differentiated a_p
/// becomes a_p - (s_p - 1 + margin) and a_n becomes a_n + s_n - margin, where the weight is not 0, and the
/// gradient is the slope of the value.
///
/// Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei: Circle Loss: A Unified Perspective of Pair Similarity
/// Optimization, CVPR 2020, arXiv 2002.10857. pytorch-metric-learning's CircleLoss has the same defaults and
/// holds the weights constant.
///
/// - Time O(n), one exponential an item; scratch O(n). Exponentials are relative to the greatest of their sum
///   and never overflow. Values keep their digits where the product is small.
/// - Not invariant under shifts of the scores: they are cosines.
/// - Item weights are not used.
/// - Edge cases: a query without positives or without negatives has value 0. Where a weight becomes 0 its
///   slope is 0. Infinite scores count as the largest finite number of the type; scores, exponents and values
///   beyond 1e290 as that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct circle {
  double margin = 0.4;                                ///< -1e100 to 1e100, m
  double gamma = 80.0;                                ///< 1e-300 to 1e15
  circle_weights weights = circle_weights::constant;  ///< what they are in the gradient
  directions over = directions::both;                 ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("margin", self.margin, options::real{.least = -1e100, .most = 1e100});
    visit("gamma", self.gamma, options::real{.least = 1e-300, .most = 1e15});
    visit("weights", self.weights, options::choice<circle_weights>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/circle.hpp>
#endif
