// SPDX-License-Identifier: BSL-1.0
#include "train.hpp"

#include <rankloss/evaluate.hpp>

#include <numeric>
#include <span>

namespace retrieval {

void train(two_towers& towers, const pairs& set, const std::vector<float>& relevance,
           const retrieval_loss& loss, const train_options& options, rankloss::context& context,
           const observer& tell) {
  std::vector<std::size_t> images(set.image_count());
  std::iota(images.begin(), images.end(), std::size_t{0});
  const auto evaluate = [&](const rankloss::similarity_batch<float>& batch, std::span<float> gradient,
                            rankloss::context& ctx, std::size_t) {
    return rankloss::evaluate(loss, batch, {.gradient = gradient}, ctx);
  };
  examples::train_towers(towers, set, images, relevance, evaluate, options, context, tell);
}

}  // namespace retrieval
