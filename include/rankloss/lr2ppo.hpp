// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/evaluate.hpp>

#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// label_policy_batch: states, which are lists of labels, the order that the old policy gave each, and what came of it, over the host's own
/// memory. List q is [offsets[q], offsets[q + 1]); empty lists are allowed, and without offsets there is one. Published states are lists of two.
template <score T>
struct label_policy_batch {
  array_view<const T> scores;      ///< [items] of the policy that learns, any number but NaN
  array_view<const T> old_scores;  ///< [items] of the policy that acted, likewise
  positions orders{};              ///< [items] the action: the items of each list, numbered from 0 in it, from the first place to the last
  positions offsets{};             ///< [lists + 1] rising from 0 to the number of items
  reals rewards{};                 ///< [lists] what the reward model says of the order, finite
  reals old_values{};              ///< [lists] what the critic said of the state, finite; none: all 0
};

/// How lr2ppo is put together.
enum class lr2ppo_form {
  corrected,  ///< each list by its own ranking loss; what the penalty changes of the advantage is a constant
  published,  ///< all lists by one ranking loss; the penalty's slope goes through the size of the advantage
};

/// lr2ppo: the policy loss of LR2PPO: a hinge on the order that the old policy gave, or on its reverse where the order did worse than expected.
///
///     KL_q       = KL(p_old, p) of the softmaxes of a list's scores, H_q = the entropy of p
///     A_q        = rewards_q - kl_coefficient KL_q - old_values_q
///     order_q    = the action where A_q >= 0, else the action reversed
///     h_ij       = max(0, margin - (s_i - s_j)) for each item i before j in order_q
///     loss       = mean_q (L_q |A_q| - entropy_coefficient H_q)
///
///                  corrected                                      published
///     L_q          sum h_ij / #(h_ij > 0) of the list itself      the same of all lists together
///     |A_q|        0 below `threshold`; a constant                 through KL_q a function of the scores
///     reversed     where A_q < 0                                   where A_q < -0.1
///
///     d(loss)/d(s) of item j of list q = mean's part times
///         |A_q| (corrected), the mean |A| times the number of lists (published), times the slopes -+1 / #(h > 0) of L_q
///         + entropy_coefficient p_j (log p_j + H_q)
///         - sign(A_q) kl_coefficient L_q (p_j - p_old,j), published only
///
/// Guo et al.: Multimodal label relevance ranking via reinforcement learning, ECCV 2024, arXiv 2407.13221, and its published code, which has
/// neither a ratio of probabilities nor a clip. What `corrected` changes: one list's advantage no longer scales the other lists' hinges; the
/// policy is not driven away from the old one where an advantage is negative, or to it at the price of the hinges, by the slope of |A|; and the
/// threshold works: published it is -0.1 and compared with |A|, which no |A| is below, so that it only moves the sign.
///
/// - For PPO's clipped surrogate over orders take `ppo` with `plackett_luce_policy` instead.
/// - Time O(sum of the squares of the lengths), no more than O(n) scratch, on the calling thread: states are short lists. In double.
/// - Piecewise linear in the hinges: at a kink the slope is 0. The gradient of each list sums to 0 up to rounding. Scores may be shifted.
/// - Edge cases: no list: value 0. Lists of one item or none: their own part is 0, but they count in the mean. Infinite scores count as the
///   type's largest finite number, in double as 1e300. A loss beyond 1e290 is that; derivatives are bounded by what the type holds.
/// @throws std::invalid_argument from `evaluate` when sizes, offsets, orders, options or (data_checks::on) data do not fit; then nothing has
/// been written.
struct lr2ppo {
  lr2ppo_form form = lr2ppo_form::corrected;
  double margin = 0.01;                ///< any finite number, in units of the scores
  double kl_coefficient = 0.001;       ///< >= 0
  double entropy_coefficient = 0.001;  ///< >= 0
  double threshold = 0.0;              ///< >= 0, in units of the rewards: an advantage nearer to 0 says nothing. Published: 0

  void validate() const {
    const auto at_least_0 = [](const double& x) { return detail::is_finite(x) && x >= 0.0; };
    detail::require(detail::is_finite(margin), "margin: ", margin, ", expected a finite number");
    detail::require(at_least_0(kl_coefficient), "kl_coefficient: ", kl_coefficient, ", expected a finite number >= 0");
    detail::require(at_least_0(entropy_coefficient), "entropy_coefficient: ", entropy_coefficient, ", expected a finite number >= 0");
    detail::require(at_least_0(threshold), "threshold: ", threshold, ", expected a finite number >= 0");
    detail::require(form == lr2ppo_form::corrected || threshold == 0.0, "threshold: ", threshold, ", expected 0 with lr2ppo_form::published");
  }
};

/// evaluate: the value of LR2PPO's policy loss over states, and on request its gradient by the scores and the part of each state (per_list).
template <score T>
double evaluate(const lr2ppo& loss, const label_policy_batch<T>& batch, const outputs& out, context& ctx) {
  return detail::compute(loss, batch, out, ctx);
}

/// shape_rewards: what the critic of LR2PPO is to learn, and its advantage is made from: rewards_q - kl_coefficient KL_q.
/// @throws std::invalid_argument as evaluate; then nothing has been written.
template <score T>
void shape_rewards(const lr2ppo& loss, const label_policy_batch<T>& batch, std::type_identity_t<array_view<double>> shaped, context& ctx);

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/lr2ppo.hpp>
#endif
