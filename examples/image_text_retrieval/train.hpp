// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/train_towers.hpp"
#include "data.hpp"

#include <rankloss/context.hpp>

#include <vector>

namespace retrieval {

using examples::batch_loss;
using examples::head;
using examples::observer;
using examples::train_options;
using examples::train_state;
using examples::two_towers;

/// train: fits both heads to the captions of `set` in shuffled batches.
///
/// Rows are the images of a batch, each once; columns are its captions. Captions of one image share its class
/// id, so that none is taken for a negative of it. `relevance` [images, captions] of the whole set grades the
/// pairs for S-NDCG; empty: 1 where they match, else 0.
void train(two_towers& towers, const pairs& set, const std::vector<float>& relevance, const batch_loss& loss,
           const train_options& options, rankloss::context& context, const observer& tell);

}  // namespace retrieval
