// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/adam.hpp"
#include "../support/net.hpp"
#include "data.hpp"

#include <rankloss/context.hpp>
#include <rankloss/lr2ppo.hpp>
#include <rankloss/partial_order.hpp>
#include <rankloss/ppo.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace label_ranker {

using examples::adam;
using examples::net;
using examples::parameter_array;

/// How a net is trained.
struct tune_options {
  std::vector<std::size_t> hidden{64};  ///< units of each hidden layer, of all nets
  std::size_t epochs = 40;              ///< at most
  std::size_t patience = 8;             ///< epochs without a better validation after which training ends
  double rate = 1e-3;                   ///< of Adam
  double decay = 0.01;                  ///< of the weights
  std::uint64_t seed = 1;
};

/// What a stage tells after each epoch.
struct progress_state {
  std::size_t epoch = 0;  ///< from 1
  double loss = 0.0;
  double validation = 0.0;  ///< what the stage is chosen by, in [0, 1]
  const rankloss::policy_diagnostics* policy =
      nullptr;  ///< of the epoch's last step, where there is a policy
};
using observer = std::function<void(const progress_state&)>;

/// A trained net: that of the epoch with the best validation.
struct tuned {
  net<float> model;
  double validation = 0.0;
  std::size_t epoch = 0;  ///< 0: the start was best
};

/// The starting weights of a scorer of items.
[[nodiscard]] net<float> new_scorer(const lists& set, const tune_options& how);

/// NDCG@10 of a scorer on lists.
[[nodiscard]] double ndcg10(const net<float>& model, const lists& set, rankloss::context& context);

/// Stage 1: regression of the grade by smooth L1 (beta 0.3), stopped by `validation`.
[[nodiscard]] tuned tune_by_grades(const net<float>& start, const lists& set, const lists& validation,
                                   const tune_options& how, rankloss::context& context, const observer& tell);

/// The net whose last hidden layer is the common space of two domains.
[[nodiscard]] net<float> align(const lists& set, const lists& validation, rankloss::context& context);

/// Without stages: the base model goes on with the pairs themselves, by Bradley and Terry's loss of its scores.
[[nodiscard]] tuned tune_by_pairs(const net<float>& base, const lists& set,
                                  const rankloss::ordered_pairs& pairs, const lists& validation,
                                  const tune_options& how, rankloss::context& context, const observer& tell);

/// Stage 2: a reward for two items in an order, so that the right order's is above the other's by a margin (margin_ranking); stopped by the part
/// of the pairs of `validation` that it tells right.
[[nodiscard]] tuned train_reward(const lists& set, const rankloss::ordered_pairs& pairs,
                                 const lists& validation, double margin, const tune_options& how,
                                 rankloss::context& context, const observer& tell);

/// The part of pairs that a reward model tells right.
[[nodiscard]] double reward_accuracy(const net<float>& reward, const lists& set,
                                     const rankloss::ordered_pairs& pairs);

/// Stage 3 as the paper has it: pairs of labels are states, the old policy's order of a pair is the action.
struct lr2ppo_options {
  rankloss::lr2ppo loss{};
  double critic_rate = 1e-3;
  std::size_t batch = 64;     ///< states a step
  std::size_t rollouts = 30;  ///< batches that are collected before one pass over them: an epoch
};
[[nodiscard]] tuned tune_by_lr2ppo(const net<float>& base, const net<float>& reward, const lists& set,
                                   const lists& validation, const lr2ppo_options& options,
                                   const tune_options& how, rankloss::context& context, const observer& tell);

/// Stage 3 with PPO's clipped surrogate over orders of whole lists, drawn from a Plackett-Luce policy of the scores.
struct plackett_luce_options {
  rankloss::ppo loss{.clip = 0.2, .kl_coefficient = 0.01};  ///< the penalty holds on to the base model
  double entropy_coefficient = 0.001;
  double temperature = 1.0;  ///< of the policy
  std::size_t longest = 10;  ///< items of a list that take part in an episode, drawn anew each time
  std::size_t samples = 8;   ///< orders drawn of a list; each is compared with the mean reward of the others
  std::size_t lists_a_step = 16;
  std::size_t passes = 2;  ///< over the orders of a step
};
[[nodiscard]] tuned tune_by_ppo(const net<float>& base, const net<float>& reward, const lists& set,
                                const lists& validation, const plackett_luce_options& options,
                                const tune_options& how, rankloss::context& context, const observer& tell);

/// How well one list is ranked.
struct quality {
  enum column { ndcg1, ndcg3, ndcg5, ndcg10, ndcg20, pairs, columns };
  std::array<double, columns> values{};
};
/// The lists in which something is relevant, by the library's exact metrics.
[[nodiscard]] std::vector<quality> measure(const lists& set, const vector<float>& scores,
                                           rankloss::context& context);

}  // namespace label_ranker
