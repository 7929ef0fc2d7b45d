// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// label_policy_batch: states, each a list of labels, with the order that the old policy gave to it and its
/// reward, as views of the host's own memory. List q is [offsets[q], offsets[q + 1]). Empty lists are
/// allowed; without offsets all items are one list. In the published code states are lists of two labels.
template <score T>
struct label_policy_batch {
  array_view<const T> scores;      ///< [items] of the policy that learns, any number except NaN
  array_view<const T> old_scores;  ///< [items] of the policy that acted, any number except NaN
  positions orders{};              ///< [items] the action: items of each list from 0, in order of their place
  positions offsets{};             ///< [lists + 1] non-decreasing, from 0 to the number of items
  reals rewards{};                 ///< [lists] output of the reward model for the order, finite
  reals old_values{};              ///< [lists] output of the critic for the state, finite; empty: all 0
};

/// Which form of the loss is computed.
enum class lr2ppo_form {
  corrected,  ///< each list has its own ranking loss; the advantage is a constant
  published,  ///< all lists share one ranking loss; the gradient passes through |A|
};

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

  void validate() const {
    const auto at_least_0 = [](const double& x) { return detail::is_finite(x) && x >= 0.0; };
    detail::require(detail::is_finite(margin), "margin: ", margin, ", expected a finite number");
    detail::require(at_least_0(kl_coefficient), "kl_coefficient: ", kl_coefficient, ", expected a finite number >= 0");
    detail::require(at_least_0(entropy_coefficient), "entropy_coefficient: ", entropy_coefficient, ", expected a finite number >= 0");
    detail::require(at_least_0(threshold), "threshold: ", threshold, ", expected a finite number >= 0");
    detail::require(form == lr2ppo_form::corrected || threshold == 0.0, "threshold: ", threshold, ", expected 0 with lr2ppo_form::published");
  }
};

namespace detail {

template <class T>
void check_label_policy(const label_policy_batch<T>& batch, workspace& scratch, bool check) {
  const std::size_t items = batch.scores.size();
  check_offsets(batch.offsets, items, "scores");
  const order_lists lists{batch.offsets, items};
  check_steps("old_scores", batch.old_scores.size(), items, "one per score");
  check_steps("rewards", batch.rewards.size(), lists.count(), "one per list");
  if (!batch.old_values.empty()) check_steps("old_values", batch.old_values.size(), lists.count(), "one per list");
  check_orders(batch.orders, lists, scratch);
  if (!check) return;
  check_policy_scores("scores", batch.scores);
  check_policy_scores("old_scores", batch.old_scores);
  check_finite("rewards", batch.rewards, {}, "list");
  check_finite("old_values", batch.old_values, {}, "list");
}

/// The log probabilities of a list's softmax.
template <class T>
void log_softmax(std::span<const T> scores, std::span<double> logs) {
  constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);
  double most = -largest;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    logs[i] = std::clamp(static_cast<double>(detail::bounded(scores[i])), -largest, largest);
    most = std::max(most, logs[i]);
  }
  double sum = 0.0;
  for (const double s : logs) sum += std::exp(s - most);
  const double log_sum = std::log(sum);
  for (double& s : logs) s = s - most - log_sum;
}

/// What the two softmaxes and the reward of a list yield.
struct label_state {
  double divergence = 0.0;  ///< KL(old, new)
  double entropy = 0.0;
  double advantage = 0.0;
};

/// Log probabilities [items] of both policies for a batch, and the state of one list at a time.
template <class T>
struct label_states {
  label_states(const label_policy_batch<T>& batch, workspace& scratch)
      : batch_(batch),
        lists{batch.offsets, batch.scores.size()},
        logs(scratch.take<double>(batch.scores.size())),
        old_logs(scratch.take<double>(batch.scores.size())) {
    for (std::size_t q = 0; q < lists.count(); ++q) {
      const std::size_t first = lists.first(q);
      const std::size_t n = lists.size(q);
      if (n == 0) continue;
      log_softmax(batch.scores.subspan(first, n), logs.subspan(first, n));
      log_softmax(batch.old_scores.subspan(first, n), old_logs.subspan(first, n));
    }
  }

  [[nodiscard]] label_state at(std::size_t q, double kl_coefficient) const {
    label_state s;
    for (std::size_t i = lists.first(q), end = i + lists.size(q); i < end; ++i) {
      // A probability of 0 contributes nothing: 0 log 0 = 0.
      const double p = std::exp(logs[i]);
      const double old = std::exp(old_logs[i]);
      if (p > 0.0) s.entropy -= p * logs[i];
      if (old > 0.0) s.divergence += old * (old_logs[i] - logs[i]);
    }
    s.divergence = std::clamp(s.divergence, 0.0, 1e290);  // below 0 by rounding only
    s.advantage =
        std::clamp(batch_.rewards[q] - kl_coefficient * s.divergence - (batch_.old_values.empty() ? 0.0 : batch_.old_values[q]), -1e290, 1e290);
    return s;
  }

  const label_policy_batch<T>& batch_;
  order_lists lists;
  std::span<double> logs, old_logs;
};

struct hinge_sums {
  double sum = 0.0;
  double count = 0.0;  ///< number of hinges above 0
  [[nodiscard]] double mean() const noexcept { return count > 0.0 ? std::min(sum / count, 1e290) : 0.0; }
};

/// The hinges of one list, with its items in the wanted order; calls slope(item, -+1) for each hinge above 0.
template <class T, class Slope>
void add_hinges(const label_policy_batch<T>& batch, std::size_t first, std::size_t n, bool reversed, double margin, hinge_sums& to, Slope slope) {
  constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e290);
  const auto item = [&](std::size_t place) { return static_cast<std::size_t>(batch.orders[first + (reversed ? n - 1 - place : place)]); };
  const auto score = [&](std::size_t i) { return std::clamp(static_cast<double>(detail::bounded(batch.scores[first + i])), -largest, largest); };
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = a + 1; b < n; ++b) {
      const double h = margin - (score(item(a)) - score(item(b)));
      if (!(h > 0.0)) continue;
      to.sum = std::min(to.sum + h, 1e300);
      to.count += 1.0;
      slope(item(a), -1.0);
      slope(item(b), 1.0);
    }
}

}  // namespace detail

/// evaluate: the value of LR2PPO's policy loss over states, and on request its gradient by the scores and the
/// term of each state (per_list).
template <score T>
double evaluate(const lr2ppo& loss, const label_policy_batch<T>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  const std::size_t items = batch.scores.size();
  loss.validate();
  workspace& scratch = ctx.scratch();
  detail::check_label_policy(batch, scratch, ctx.checks == data_checks::on);
  const detail::order_lists lists{batch.offsets, items};
  detail::require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
  detail::check_output("gradient", out.gradient, items, "one per score");
  detail::check_output("per_list", out.per_list.size(), lists.count(), "one per list");
  detail::require(detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");

  const workspace::scope scope(scratch);
  const detail::label_states<T> states(batch, scratch);
  const bool published = loss.form == lr2ppo_form::published;
  const double reversed_below = published ? -0.1 : 0.0;
  const double part = detail::weighted_mean(lists.count(), reduction::mean).part(1.0);
  const auto hinges = [&](std::size_t q, double advantage, detail::hinge_sums& to, auto slope) {
    detail::add_hinges(batch, lists.first(q), lists.size(q), advantage < reversed_below, loss.margin, to, slope);
  };

  detail::hinge_sums all;
  double mean_advantage = 0.0;
  for (std::size_t q = 0; q < lists.count() && published; ++q) {
    const double advantage = states.at(q, loss.kl_coefficient).advantage;
    hinges(q, advantage, all, [](std::size_t, double) {});
    mean_advantage += part * std::abs(advantage);
  }

  const std::span<double> slopes = scratch.take<double>(out.gradient.empty() ? 0 : items);
  std::fill(slopes.begin(), slopes.end(), 0.0);
  double value = 0.0;
  for (std::size_t q = 0; q < lists.count(); ++q) {
    const detail::label_state state = states.at(q, loss.kl_coefficient);
    const double size = published || std::abs(state.advantage) >= loss.threshold ? std::abs(state.advantage) : 0.0;
    const std::size_t first = lists.first(q);
    detail::hinge_sums own;
    hinges(q, state.advantage, own, [&](std::size_t i, double slope) {
      if (!slopes.empty()) slopes[first + i] += slope;
    });
    const double rank_loss = published ? all.mean() : own.mean();
    const double term = detail::bounded_term(detail::bounded_term(rank_loss * size) - loss.entropy_coefficient * state.entropy);
    value += part * term;
    if (!out.per_list.empty()) out.per_list[q] = term;
    if (slopes.empty()) continue;

    const double count = published ? all.count : own.count;
    const double of_hinge = count > 0.0 ? (published ? mean_advantage : part * size) / count : 0.0;
    const double sign = state.advantage < 0.0 ? -1.0 : state.advantage > 0.0 ? 1.0 : 0.0;
    const double of_divergence = published ? detail::held_as<double>(part * rank_loss * loss.kl_coefficient) * sign : 0.0;
    for (std::size_t i = first; i < first + lists.size(q); ++i) {
      const double p = std::exp(states.logs[i]);
      const double away = p - std::exp(states.old_logs[i]);
      const double of_entropy = p > 0.0 ? p * (states.logs[i] + state.entropy) : 0.0;
      // Each term is limited to the type, because the difference of two infinities would be NaN.
      const double by_hinges = detail::held_as<double>(of_hinge * slopes[i]);
      const double by_entropy = detail::held_as<double>(part * loss.entropy_coefficient * of_entropy);
      slopes[i] = detail::held_sum(detail::held_sum(by_hinges, by_entropy), -detail::held_as<double>(of_divergence * away));
    }
  }
  if (!out.gradient.empty()) detail::write_scaled(out.gradient, slopes, out.scale, out.update);
  return detail::bounded_term(value);
}

/// shape_rewards: the target of LR2PPO's critic, from which its advantage is computed: rewards_q -
/// kl_coefficient KL_q.
/// @throws std::invalid_argument as evaluate; then nothing has been written.
template <score T>
void shape_rewards(const lr2ppo& loss, const label_policy_batch<T>& batch, std::type_identity_t<array_view<double>> shaped, context& ctx) {
  const detail::sole_use alone(ctx);
  loss.validate();
  workspace& scratch = ctx.scratch();
  detail::check_label_policy(batch, scratch, ctx.checks == data_checks::on);
  const detail::order_lists lists{batch.offsets, batch.scores.size()};
  detail::check_steps("shaped", shaped.size(), lists.count(), "one per list");
  const workspace::scope scope(scratch);
  const detail::label_states<T> states(batch, scratch);
  for (std::size_t q = 0; q < lists.count(); ++q)
    shaped[q] = detail::held_as<double>(batch.rewards[q] - loss.kl_coefficient * states.at(q, loss.kl_coefficient).divergence);
}

}  // namespace rankloss::inline RANKLOSS_ABI
