// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "data.hpp"
#include "model.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/context.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace retrieval {

/// One type for all three losses: a term of weight 0 is not run.
using retrieval_loss = rankloss::weighted_sum<rankloss::triplet, rankloss::bidirectional<rankloss::sndcg>>;

struct train_options {
  std::size_t epochs = 12;
  std::size_t batch = 128;  ///< captions a step, with the images that they belong to
  double rate = 3e-4;       ///< of Adam; falls to 0 along half a cosine
  double decay = 0.0;       ///< pull towards the starting weights
  std::uint64_t seed = 1;   ///< of the order of the captions
};

/// What a training run tells while it runs.
struct train_state {
  std::size_t epoch = 0;  ///< from 1
  std::size_t pairs = 0;  ///< captions trained on so far, over all epochs
  std::size_t pairs_in_all = 0;
  double loss = 0.0;     ///< mean of the epoch so far
  double seconds = 0.0;  ///< since training began, without the time spent in the observer
  bool epoch_ends = false;
  const two_towers* towers = nullptr;
};
using observer = std::function<void(const train_state&)>;

/// train: fits both heads to the captions of `set` in shuffled batches.
///
/// Rows of the similarity matrix are the images of a batch, each once; columns are its captions. Captions of one image share its class id,
/// so that none is taken for a negative of it. `relevance` [images, captions] of the whole set grades the pairs for S-NDCG; empty: 1 where
/// they match, else 0.
void train(two_towers& towers, const pairs& set, const std::vector<float>& relevance,
           const retrieval_loss& loss, const train_options& options, rankloss::context& context,
           const observer& tell);

}  // namespace retrieval
