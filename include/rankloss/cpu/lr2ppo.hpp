// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/orders/check_orders.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/lr2ppo.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

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

/// Quantities computed from the two softmaxes and the reward of a list.
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
    s.advantage = std::clamp(batch_.rewards[q] - kl_coefficient * s.divergence -
                                 (batch_.old_values.empty() ? 0.0 : batch_.old_values[q]),
                             -1e290, 1e290);
    return s;
  }

  const label_policy_batch<T>& batch_;
  ragged_lists lists;
  std::span<double> logs, old_logs;
};

struct hinge_sums {
  double sum = 0.0;
  double count = 0.0;  ///< number of hinges above 0
  [[nodiscard]] double mean() const noexcept { return count > 0.0 ? std::min(sum / count, 1e290) : 0.0; }
};

/// The hinges of one list, with its items in the wanted order; calls slope(item, -+1) for each hinge above 0.
template <class T, class Slope>
void add_hinges(const label_policy_batch<T>& batch, std::size_t first, std::size_t n, bool reversed,
                double margin, hinge_sums& to, Slope slope) {
  constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e290);
  const auto item = [&](std::size_t position) {
    return static_cast<std::size_t>(batch.orders[first + (reversed ? n - 1 - position : position)]);
  };
  const auto score = [&](std::size_t i) {
    return std::clamp(static_cast<double>(detail::bounded(batch.scores[first + i])), -largest, largest);
  };
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = a + 1; b < n; ++b) {
      const double h = margin - opaque(score(item(a)) - score(item(b)));
      if (!(h > 0.0)) continue;
      to.sum = std::min(to.sum + h, 1e300);
      to.count += 1.0;
      slope(item(a), -1.0);
      slope(item(b), 1.0);
    }
}

struct lr2ppo_engine {
  template <score T>
  static double run(const lr2ppo& loss, const label_policy_batch<T>& batch, const outputs& out,
                    context& ctx) {
    const ragged_lists lists(batch.offsets, batch.scores.size());
    workspace& scratch = ctx.scratch();
    const workspace::scope scope(scratch);
    const label_states<T> states(batch, scratch);
    const output_sums sums(out, lists.count(), scratch);
    const std::span<double> slopes = sums.gradient;
    const bool published = loss.form == lr2ppo_form::published;
    const double share = weighted_mean(lists.count(), reduction::mean).share(1.0);
    const auto hinges = [&](std::size_t q, double advantage, hinge_sums& to, auto slope) {
      add_hinges(batch, lists.first(q), lists.size(q), loss.reverses(advantage), loss.margin, to, slope);
    };

    hinge_sums all;
    double mean_advantage = 0.0;
    for (std::size_t q = 0; q < lists.count() && published; ++q) {
      const double advantage = states.at(q, loss.kl_coefficient).advantage;
      hinges(q, advantage, all, [](std::size_t, double) {});
      mean_advantage += share * std::abs(advantage);
    }

    double value = 0.0;
    for (std::size_t q = 0; q < lists.count(); ++q) {
      const label_state state = states.at(q, loss.kl_coefficient);
      const double size = loss.size_of(state.advantage);
      const std::size_t first = lists.first(q);
      hinge_sums own;
      hinges(q, state.advantage, own, [&](std::size_t i, double slope) {
        if (!slopes.empty()) slopes[first + i] += slope;
      });
      const double rank_loss = published ? all.mean() : own.mean();
      const double term = loss.term(rank_loss, size, state.entropy);
      value += share * term;
      sums.values[q] = term;
      if (slopes.empty()) continue;

      const double count = published ? all.count : own.count;
      const double of_hinge = count > 0.0 ? (published ? mean_advantage : share * size) / count : 0.0;
      const double sign = state.advantage < 0.0 ? -1.0 : state.advantage > 0.0 ? 1.0 : 0.0;
      const double of_divergence =
          published ? held_as<double>(share * rank_loss * loss.kl_coefficient) * sign : 0.0;
      for (std::size_t i = first; i < first + lists.size(q); ++i) {
        const double p = std::exp(states.logs[i]);
        const double away = p - std::exp(states.old_logs[i]);
        const double of_entropy = p > 0.0 ? p * (states.logs[i] + state.entropy) : 0.0;
        slopes[i] = lr2ppo::slope(of_hinge * slopes[i], share * loss.entropy_coefficient * of_entropy,
                                  of_divergence * away);
      }
    }
    sums.commit(out.scale);
    return bounded_term(value);
  }
};

}  // namespace detail

template <>
struct engine<lr2ppo, context> : detail::lr2ppo_engine {};

template <score T>
void shape_rewards(const lr2ppo& loss, const label_policy_batch<T>& batch,
                   std::type_identity_t<array_view<double>> shaped, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(loss);
  detail::check_label_policy(batch, {}, ctx);
  const detail::ragged_lists lists(batch.offsets, batch.scores.size());
  detail::check_size("shaped", shaped.size(), lists.count(), "one per list");
  workspace& scratch = ctx.scratch();
  const workspace::scope scope(scratch);
  const detail::label_states<T> states(batch, scratch);
  for (std::size_t q = 0; q < lists.count(); ++q)
    shaped[q] = detail::held_as<double>(batch.rewards[q] -
                                        loss.kl_coefficient * states.at(q, loss.kl_coefficient).divergence);
}

}  // namespace rankloss::inline RANKLOSS_ABI
