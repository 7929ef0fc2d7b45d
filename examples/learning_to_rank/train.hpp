// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/adam.hpp"
#include "../support/net.hpp"
#include "data.hpp"
#include "losses.hpp"

#include <rankloss/context.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace ranker {

using examples::adam;
using examples::net;
using examples::parameter_array;

struct train_options {
  std::vector<std::size_t> hidden;  ///< units of each hidden layer; none: a linear model
  std::size_t epochs = 60;          ///< at most
  std::size_t patience = 10;        ///< epochs without a better validation NDCG@10 after which training ends
  std::size_t batch = 8;            ///< lists a step
  double rate = 1e-3;               ///< of Adam
  double decay = 0.01;              ///< of the weights
  std::uint64_t seed = 1;           ///< of the starting weights and of the order of the lists
};

/// What a training run tells after each epoch.
struct train_state {
  std::size_t epoch = 0;  ///< from 1
  double loss = 0.0;      ///< mean over the epoch
  double validation = 0.0;
  double best = 0.0;     ///< validation NDCG@10 so far
  double seconds = 0.0;  ///< since training began
};
using observer = std::function<void(const train_state&)>;

/// A trained model: that of the epoch with the best validation NDCG@10.
struct trained {
  net<float> model;
  double validation = 0.0;
  std::size_t epoch = 0;  ///< 0: the start was best
};

/// train: fits a model to the lists of `data.train` in shuffled batches; `data.test` is not looked at.
[[nodiscard]] trained train(const fold& data, const list_loss& loss, const train_options& options,
                            rankloss::context& context, const observer& tell);

/// How well one list is ranked.
struct quality {
  enum column { ndcg1, ndcg3, ndcg5, ndcg10, map, columns };
  std::array<double, columns> values{};
};

/// measure: the lists in which something is relevant, by the library's exact metrics; equal scores count what a random order would on average.
[[nodiscard]] std::vector<quality> measure(const lists& set, const vector<float>& scores,
                                           rankloss::context& context);

}  // namespace ranker
