// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The order of items of equal relevance.
enum class tie_order {
  stable,  ///< the order of the items in the list
  random,  ///< drawn anew for each seed, list and item
  exact,   ///< none: the likelihoods of all such orders are summed
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(tie_order) noexcept {
  return {"stable", "random", "exact"};
}

/// The weight of each position of the order.
enum class position_weights {
  none,         ///< all 1
  exponential,  ///< (2^(n - i) - 1) / sum_k (2^(n - k) - 1) at position i of 1 ... n: about 1/2, 1/4, ...
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(position_weights) noexcept {
  return {"none", "exponential"};
}

/// listmle: minus the log likelihood of the order by relevance under the Plackett-Luce model of the scores.
///
///     pi               sorts y, descending
///     p_ik             = exp(s_pi(k) / t) / sum_{j >= i} exp(s_pi(j) / t),  k >= i,  t = temperature
///     loss             = - sum_{i <= cutoff} c_i log p_ii
///     d(loss)/d(s)     of item pi(k) = (sum_{i <= min(k, cutoff)} c_i p_ik - c_k [k <= cutoff]) / t
///     d2(loss)/d(s)2   of item pi(k) = sum_{i <= min(k, cutoff)} c_i p_ik (1 - p_ik) / t^2
///
/// and with tie_order::exact
///
///     loss             = - log sum_pi prod_i p_ii,  over all pi that sort y
///
/// Xia, Liu, Wang, Zhang, Li: Listwise approach to learning to rank: theory and algorithm, ICML 2008.
/// Position weights: Lan, Zhu, Guo, Niu, Cheng: Position-aware ListMLE, UAI 2014; here they are divided by
/// their sum, so that they can be computed for lists of any length. Cutoff: Xia, Liu, Li: Statistical
/// consistency of top-k ranking, NIPS 2009. The sum over tied orders as an integral: DeLong, Guirguis, So,
/// Biometrika 81 (1994).
///
/// - Time: a sort by relevance (counting for whole grades) and O(n); scratch O(n). Exact ties take O(60 g)
///   for g tied items, for any g. Float gradients are within 2e-6 of the largest entry. Sums are taken
///   relative to the largest score that remains, so scores may be any distance apart.
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding. Convex, except with exact
///   ties.
/// - Random orders are a function of (seed, number of the list in its batch, number of the item among those
///   that the mask keeps): the same for any number of threads. Change the seed from step to step.
/// - The order of items of equal relevance is part of the definition. With tie_order::stable and
///   tie_order::random, items that are alike in score, relevance and weight have the derivatives of their
///   positions, which differ; with tie_order::exact they have the same derivative.
/// - c_i is the weight of the position times the item weight of pi(i). Exact ties accept no cutoff and no
///   weights of positions, and ignore item weights.
/// - Edge cases: a list without relevance counts like any other; its order is that of the ties alone, and
///   exact ties have value 0. One item: 0. Infinite scores count as the largest finite number of the type.
///   Losses beyond 1e290 are set to 1e290. Derivatives that the type cannot hold are scaled down until it
///   can.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct listmle {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores
  std::size_t cutoff = 0;    ///< positions that count; 0: all
  rankloss::position_weights weights = rankloss::position_weights::none;  ///< weights of the positions
  tie_order ties = tie_order::stable;                                     ///< of items of equal relevance
  std::uint64_t seed = 0;                                                 ///< of tie_order::random

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("weights", self.weights, options::choice<position_weights>{});
    visit("ties", self.ties, options::choice<tie_order>{});
    visit("seed", self.seed, options::seed);
  }
  void validate() const {
    detail::require(ties != tie_order::exact || cutoff == 0, "cutoff: ", cutoff,
                    ", expected 0 with tie_order::exact");
    detail::require(ties != tie_order::exact || weights == position_weights::none,
                    "weights: exponential, expected none with tie_order::exact");
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/listmle.hpp>
#endif
