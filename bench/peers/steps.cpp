// SPDX-License-Identifier: BSL-1.0
#include "ours.hpp"

#include <rankloss/bradley_terry.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/ppo.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/relaxed_list.hpp>

#include <map>
#include <utility>

extern "C" {

double peers_ppo(void* context, bool wide, const void* now, const void* old, const void* advantages,
                 std::size_t n, double clip, void* gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::policy_batch<T> batch{.log_probabilities = peers::input<T>(now, n),
                                          .old_log_probabilities = peers::input<T>(old, n),
                                          .advantages = peers::input<T>(advantages, n)};
    return rankloss::evaluate(rankloss::ppo{.clip = clip}, batch, {.gradient = peers::output<T>(gradient, n)},
                              peers::of(context));
  });
}

double peers_critic(void* context, bool wide, const void* values, const void* returns, const void* old,
                    std::size_t n, double clip, void* gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::value_batch<T> batch{.values = peers::input<T>(values, n),
                                         .returns = peers::input<T>(returns, n),
                                         .old_values = peers::input<T>(old, n)};
    return rankloss::evaluate(rankloss::critic{.clip = clip}, batch,
                              {.gradient = peers::output<T>(gradient, n)}, peers::of(context));
  });
}

/// Advantages and returns of trajectories that have ended, one behind the other; the first advantage.
double peers_gae(void* context, bool wide, const void* rewards, const void* values, std::size_t n,
                 const std::int64_t* offsets, std::size_t trajectories, double discount, double lambda,
                 void* advantages, void* returns) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::trajectory_batch<T> batch{.rewards = peers::input<T>(rewards, n),
                                              .values = peers::input<T>(values, n),
                                              .offsets = std::span(offsets, trajectories + 1)};
    const std::span<T> out = peers::output<T>(advantages, n);
    rankloss::estimate_advantages(batch, {.discount = discount, .lambda = lambda}, out,
                                  peers::output<T>(returns, n), peers::of(context));
    return static_cast<double>(out.front());
  });
}

double peers_bradley_terry(void* context, bool wide, const void* rewards, std::size_t items,
                           const std::int64_t* preferred, const std::int64_t* other, std::size_t pairs,
                           void* gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const rankloss::preference_batch<T> batch{.rewards = peers::input<T>(rewards, items),
                                              .preferred = std::span(preferred, pairs),
                                              .other = std::span(other, pairs)};
    return rankloss::evaluate(rankloss::bradley_terry{}, batch,
                              {.gradient = peers::output<T>(gradient, items)}, peers::of(context));
  });
}

/// Ascending ranks of scores by projection, and the product of their Jacobian with a cotangent; the first rank.
/// One object holds the lists of a kind of ranks, as in a trainer.
double peers_projected_ranks(std::size_t threads, bool wide, const void* scores, const void* cotangent,
                             std::size_t n, double temperature, bool entropic, void* ranks,
                             void* gradient) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    static std::map<std::pair<double, bool>, rankloss::relaxed_list<rankloss::projected_ranks, T>> lists;
    auto& list = lists
                     .try_emplace({temperature, entropic},
                                  rankloss::projected_ranks{
                                      .temperature = temperature,
                                      .direction = rankloss::sort_direction::ascending,
                                      .regularization = entropic ? rankloss::regularization::entropic
                                                                 : rankloss::regularization::quadratic},
                                  rankloss::context{rankloss::threads(threads)})
                     .first->second;
    list.assign(peers::input<T>(scores, n));
    const std::span<T> out = peers::output<T>(ranks, n);
    list.values(out);
    list.pullback(peers::input<T>(cotangent, n), peers::output<T>(gradient, n));
    return static_cast<double>(out.front());
  });
}

/// Descending ranks, equal scores as they lie; the first rank.
double peers_hard_ranks(void* context, bool wide, const void* scores, std::size_t n, void* ranks) noexcept {
  return peers::by_type(wide, [&](auto type) {
    using T = decltype(type);
    const std::span<T> out = peers::output<T>(ranks, n);
    rankloss::rank(rankloss::hard_ranks{.ties = rankloss::rank_ties::ordinal}, peers::input<T>(scores, n),
                   out, peers::of(context));
    return static_cast<double>(out.front());
  });
}

}  // extern "C"
