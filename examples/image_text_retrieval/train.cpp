// SPDX-License-Identifier: BSL-1.0
#include "train.hpp"

#include <numeric>
#include <vector>

namespace retrieval {

void train(two_towers& towers, const pairs& set, const std::vector<float>& relevance, const batch_loss& loss,
           const train_options& options, rankloss::context& context, const observer& tell) {
  std::vector<std::size_t> images(set.image_count());
  std::iota(images.begin(), images.end(), std::size_t{0});
  examples::train_towers(towers, set, images, relevance, loss, options, context, tell);
}

}  // namespace retrieval
