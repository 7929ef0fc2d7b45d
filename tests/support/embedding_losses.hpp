// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/embedding_reference.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>

#include <string>

/// What all similarity losses of embeddings are held to: compiled by itself for each type, because it takes
/// long.
namespace support {

/// Every loss of similarity matrices, by name. Their options are such that roundings of similarities in float
/// do not matter more than they must.
template <class Visit>
void for_each_loss(rankloss::directions over, Visit visit) {
  for (const rankloss::mining mine :
       {rankloss::mining::hardest, rankloss::mining::all, rankloss::mining::semi_hard,
        rankloss::mining::semi_hard_or_easiest, rankloss::mining::all_semi_hard})
    visit("triplet, mining " + std::to_string(static_cast<int>(mine)),
          rankloss::triplet{.margin = 0.3, .mine = mine, .over = over});
  visit("triplet, batch-hard, soft", rankloss::triplet{.positives = rankloss::mined_positives::hardest,
                                                       .form = rankloss::triplet_form::soft,
                                                       .distance = rankloss::distance::squared_euclidean,
                                                       .over = over});
  visit("siglip", rankloss::siglip{.temperature = 0.5, .bias = -1.0, .over = over});
  visit("multi_similarity", rankloss::multi_similarity{.beta = 8.0, .over = over});
  visit("circle", rankloss::circle{.gamma = 8.0, .over = over});
  visit("contrastive", rankloss::contrastive{.positive_margin = 0.3,
                                             .distance = rankloss::distance::cosine,
                                             .form = rankloss::contrastive_form::half_square,
                                             .over = over});
  visit("nca", rankloss::nca{.over = over});
  visit("cmpm", rankloss::cmpm{.epsilon = 1e-3, .over = over});
  visit("fast_ap", rankloss::fast_ap{.over = over});
  visit("bidirectional sndcg",
        rankloss::bidirectional<rankloss::sndcg>{.loss = {.temperature = 0.2}, .over = over});
  visit("bidirectional smooth_ap",
        rankloss::bidirectional<rankloss::smooth_ap>{
            .loss = {.ranks = rankloss::sigmoid_ranks{.temperature = 0.2}}, .over = over});
  visit("bidirectional listmle", rankloss::bidirectional<rankloss::listmle>{.over = over});
  visit("bidirectional softmax_cross_entropy",
        rankloss::bidirectional<rankloss::softmax_cross_entropy>{.loss = {.temperature = 0.5}, .over = over});
}

/// Every loss of embeddings is that of their matrix.
template <class T>
void every_loss_agrees(rankloss::directions over) {
  for_each_loss(over, [&](const std::string& name, const auto& loss) {
    INFO(name << ", over " << static_cast<int>(over));
    embeddings<T> e(19, 26, 7);
    e.classes(4).weights();
    agrees(e, loss);
    e.reduction = rankloss::reduction::mean_of_relevant;
    agrees(e, loss);
  });
}

/// No loss has a slope where all vectors are equal: all cosines are 1, where they are greatest.
template <class T>
void every_loss_is_flat(const embeddings<T>& e) {
  for_each_loss(rankloss::directions::both, [&](const std::string& name, const auto& loss) {
    INFO(name);
    const auto found = finite(e, loss);
    for (const double g : found.row_gradient) CHECK(std::abs(g) <= (sizeof(T) == 4 ? 1e-4 : 1e-12));
  });
}

extern template void every_loss_agrees<float>(rankloss::directions);
extern template void every_loss_agrees<double>(rankloss::directions);
extern template void every_loss_is_flat<float>(const embeddings<float>&);
extern template void every_loss_is_flat<double>(const embeddings<double>&);

}  // namespace support
