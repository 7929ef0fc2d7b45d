// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/pairs/function.hpp>
#include <rankloss/pairs/weight.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

namespace pairs {

/// Which pairs a cutoff keeps.
enum class keep {
  either,  ///< those with an item among the first k by score
  both,    ///< those with both items among the first k by score
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(keep) noexcept {
  return {"either", "both"};
}

/// The divisor of the sum over the pairs of a list.
enum class average {
  none,    ///< 1: lists with more pairs count more
  pairs,   ///< the number of its pairs
  weight,  ///< the sum of the weights of its pairs
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(average) noexcept {
  return {"none", "pairs", "weight"};
}

}  // namespace pairs

/// pairwise: a function of the score difference, summed over the pairs in which one item is more relevant
/// than the other.
///
///     loss         = sum_{i, j: y_i > y_j} w_ij f(s_i - s_j) / Z
///     d(loss)/ds_m = (sum_{j: y_m > y_j} w_mj f'(s_m - s_j) - sum_{i: y_i > y_m} w_im f'(s_i - s_m)) / Z
///
/// f is one of pairs/function.hpp. w is one of pairs/weight.hpp, times the item weight of i, the more
/// relevant item; such a weight is, for example, 1 / propensity of a click. Z is 1, the number of the pairs,
/// or the sum of their weights. `ranknet`, `lambdarank` and the LambdaLoss family are special cases.
///
/// - Lists of at least 257 floats or 193 doubles go in near-linear time where f is logistic or soft_zero_one and
///   w is equal, relevance_difference or one of the delta weights: a sort and O(n) for few grades, O(n log n) for
///   real-valued relevance (detail/pairs/pair_scan.hpp); lists of at least 385 floats or 769 doubles of up to 16
///   grades, up to 2^24 items, where f is logistic and w is ndcg_loss2 or ndcg_loss2_plus: a sort and O(n)
///   (detail/pairs/rank_scan.hpp); lists of at least 256 where f is hinge,
///   squared_hinge, squared_difference or quantile, w is equal, and no cutoff is given: O(n log L) for L
///   levels (detail/pairs/pair_merge.hpp). All else, and Hessians of the former, pair by pair: O(n^2), with a
///   cutoff k O(n k). Scratch O(n) always.
/// - Float gradients are within 2e-6, double within 1e-13 of the O(n^2) sum, relative to the largest entry.
/// - Invariant under shifts of all scores; the gradient of a list sums to 0 up to rounding. As convex as f,
///   where w does not look at ranks.
/// - Weights are constants to the gradient. Those by rank jump where two items change their ranks, and
///   with them the value; between jumps the gradient is its slope. Ranks of equal scores, for weights and
///   cutoffs, are in the order of the items; those that are alike in score, relevance and weight then have
///   the mean of their slopes, which is that over all orders of these items (detail/pairs/alike.hpp).
/// - Edge cases: without a pair, value and gradient are 0. Infinite scores count as the largest finite
///   numbers, a pair's value beyond 1e290 as that, a value or a derivative beyond the largest number of its
///   type as that. Weights are of any size.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is none
/// that the weight takes.
template <class Function = pairs::logistic, class Weight = pairs::equal>
struct pairwise {
  Function function{};                            ///< f, of the more relevant item's score less the other's
  Weight weight{};                                ///< w
  std::size_t cutoff = 0;                         ///< k; 0: all pairs
  pairs::keep keep = pairs::keep::either;         ///< which pairs the cutoff keeps
  pairs::average average = pairs::average::none;  ///< Z

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("function", self.function, options::inner{});
    visit("weight", self.weight, options::inner{});
    visit("cutoff", self.cutoff, options::cutoff);
    visit("keep", self.keep, options::choice<pairs::keep>{});
    visit("average", self.average, options::choice<pairs::average>{});
  }

  /// The weight, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(weight, visit);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/pairwise.hpp>
#endif
