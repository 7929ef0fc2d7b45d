// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/orders/check_orders.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// label_policy_batch: states, each a list of labels, with the order that the old policy gave to it and its
/// reward, as views of the host's own memory. List q is [offsets[q], offsets[q + 1]). Empty lists are
/// allowed; without offsets all items are one list. In the published code states are lists of two labels.
template <score T>
struct label_policy_batch {
  array_view<const T> scores;      ///< [items] of the policy that learns, any number except NaN
  array_view<const T> old_scores;  ///< [items] of the policy that acted, any number except NaN
  indices orders{};    ///< [items] the action: items of each list from 0, in order of their position
  indices offsets{};   ///< [lists + 1] non-decreasing, from 0 to the number of items
  reals rewards{};     ///< [lists] output of the reward model for the order, finite
  reals old_values{};  ///< [lists] output of the critic for the state, finite; empty: all 0
};

/// Which form of the loss is computed.
enum class lr2ppo_form {
  corrected,  ///< each list has its own ranking loss; the advantage is a constant
  published,  ///< all lists share one ranking loss; the gradient passes through |A|
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(lr2ppo_form) noexcept {
  return {"corrected", "published"};
}

/// lr2ppo: the policy loss of LR2PPO: a hinge on the order that the old policy gave, or on its reverse where
/// the order did worse than expected.
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
///     d(loss)/d(s) of item j of list q = (the share of the list in the mean) times
///         |A_q| (corrected) or the mean |A| times the number of lists (published),
///             times the slopes -+1 / #(h > 0) of L_q
///         + entropy_coefficient p_j (log p_j + H_q)
///         - sign(A_q) kl_coefficient L_q (p_j - p_old,j), published only
///
/// Guo et al.: Multimodal label relevance ranking via reinforcement learning, ECCV 2024, arXiv 2407.13221,
/// and its published code, which has neither a ratio of probabilities nor a clip. `corrected` changes three
/// things. The advantage of one list no longer scales the hinges of other lists. The gradient no longer
/// passes through |A|; in the published form it drives the policy away from the old one where the advantage
/// is positive, and towards it where it is negative. And the threshold works: the published one is -0.1 and
/// is compared with |A|, which is never below it, so that it only decides from which A on an order is
/// reversed.
///
/// - For PPO's clipped surrogate over orders use `ppo` with `plackett_luce_policy` instead.
/// - Time O(sum of the squares of the lengths), because states are short lists; scratch at most O(n).
///   Computed in double on the calling thread.
/// - Piecewise linear in the hinges; at a kink the slope is 0. The gradient of each list sums to 0 up to
///   rounding. Invariant under shifts of the scores of a list.
/// - Edge cases: without lists the value is 0. The part of lists of one item or none is 0, but they count in
///   the mean. Infinite scores count as the largest finite number of the type, in double as 1e300. Losses
///   beyond 1e290 are set to 1e290; derivatives are bounded by the largest number of the type.
/// @throws std::invalid_argument from `evaluate` when sizes, offsets, orders, options or (data_checks::on)
/// data are invalid; then nothing has been written.
struct lr2ppo {
  lr2ppo_form form = lr2ppo_form::corrected;
  double margin = 0.01;                ///< any finite number, in units of the scores
  double kl_coefficient = 0.001;       ///< >= 0
  double entropy_coefficient = 0.001;  ///< >= 0
  double threshold = 0.0;              ///< >= 0, of the rewards: smaller |A| count as 0; published: 0

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("form", self.form, options::choice<lr2ppo_form>{});
    visit("margin", self.margin, options::any_finite);
    visit("kl_coefficient", self.kl_coefficient, options::at_least_0);
    visit("entropy_coefficient", self.entropy_coefficient, options::at_least_0);
    visit("threshold", self.threshold, options::at_least_0);
  }
  void validate() const {
    detail::require(form == lr2ppo_form::corrected || threshold == 0.0, "threshold: ", threshold,
                    ", expected 0 with lr2ppo_form::published");
  }

  /// Whether a list of this advantage has its order reversed.
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool reverses(double advantage) const noexcept {
    return advantage < (form == lr2ppo_form::published ? -0.1 : 0.0);
  }
  /// What |A| counts as.
  [[nodiscard]] RANKLOSS_HOST_DEVICE double size_of(double advantage) const noexcept {
    const double size = std::fabs(advantage);
    return form == lr2ppo_form::published || size >= threshold ? size : 0.0;
  }
  /// The term of a list, by its ranking loss, |A| and entropy.
  [[nodiscard]] RANKLOSS_HOST_DEVICE double term(double rank_loss, double size,
                                                 double entropy) const noexcept {
    return detail::bounded_term(detail::bounded_term(rank_loss * size) - entropy_coefficient * entropy);
  }
  /// d(loss) / d(score) of an item, from what it is by hinges, by the entropy and by the divergence. Each is held
  /// in the range of double, because the difference of two infinities would be NaN.
  [[nodiscard]] RANKLOSS_HOST_DEVICE static double slope(double by_hinges, double by_entropy,
                                                         double by_divergence) noexcept {
    using detail::held_as;
    return detail::held_sum(detail::held_sum(held_as<double>(by_hinges), held_as<double>(by_entropy)),
                            -held_as<double>(by_divergence));
  }
};

namespace detail {

template <class T>
void check_label_policy(const label_policy_batch<T>& batch, const outputs& out, context& ctx) {
  const std::size_t items = batch.scores.size();
  const ragged_lists lists = checked_lists(batch.offsets, items, "scores");
  check_size("old_scores", batch.old_scores.size(), items, "one per score");
  check_size("rewards", batch.rewards.size(), lists.count(), "one per list");
  check_optional("old_values", batch.old_values.size(), lists.count(), "one per list");
  check_outputs(out, items, "one per score", lists.count(), "one per list");
  check_orders(batch.orders, lists, ctx.scratch());
  if (ctx.checks == data_checks::off) return;
  check_policy_scores("scores", batch.scores);
  check_policy_scores("old_scores", batch.old_scores);
  check_finite("rewards", batch.rewards, {}, "list");
  check_finite("old_values", batch.old_values, {}, "list");
}

}  // namespace detail

/// evaluate: the value of LR2PPO's policy loss over states, and on request its gradient by the scores and the
/// term of each state (per_list).
template <score T>
double evaluate(const lr2ppo& loss, const label_policy_batch<T>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_label_policy(batch, out, ctx);
  return detail::compute(loss, batch, out, ctx);
}

/// shape_rewards: the target of LR2PPO's critic, from which its advantage is computed: rewards_q -
/// kl_coefficient KL_q.
/// @throws std::invalid_argument as evaluate; then nothing has been written.
template <score T>
void shape_rewards(const lr2ppo& loss, const label_policy_batch<T>& batch,
                   std::type_identity_t<array_view<double>> shaped, context& ctx);

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/lr2ppo.hpp>
#endif
