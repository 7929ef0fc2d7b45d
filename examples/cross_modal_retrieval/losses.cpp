// SPDX-License-Identifier: BSL-1.0
#include "losses.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/triplet.hpp>

#include <cstdint>

namespace cross_modal {
namespace {

using examples::evaluated;

template <class ListLoss>
examples::batch_loss both_ways(const ListLoss& loss) {
  return evaluated(rankloss::bidirectional<ListLoss>{loss});
}

examples::batch_loss noisy(double temperature, const loss_options& o) {
  return
      [temperature, o](const rankloss::embedding_batch<float>& batch, const rankloss::embedding_outputs& out,
                       rankloss::context& context, const examples::train_step& step) {
        // New noise for each step; the high bits keep the seeds of a run apart from those of the next.
        const rankloss::bidirectional<rankloss::stochastic<rankloss::neural_ndcg>> loss{
            {.loss = {.temperature = temperature},
             .noise = o.noise,
             .samples = o.samples,
             .seed = (static_cast<std::uint64_t>(o.seed) << 32) + step.number}};
        return rankloss::evaluate(loss, batch, out, context);
      };
}

}  // namespace

const std::vector<named_loss>& all_losses() {
  using rankloss::neural_ndcg;
  static const std::vector<named_loss> all{
      {"triplet", "hinge to the hardest item of another category", true, false,
       [](double t, const loss_options&) { return evaluated(rankloss::triplet{.margin = t}); }},
      {"triplet_all", "hinge to all items of other categories", true, false,
       [](double t, const loss_options&) {
         return evaluated(rankloss::triplet{.margin = t, .mine = rankloss::mining::all});
       }},
      {"contrastive_pairs", "softmax cross entropy; only an image's own texts are relevant", true, true,
       [](double t, const loss_options&) {
         return both_ways(rankloss::softmax_cross_entropy{.temperature = t});
       }},
      {"contrastive", "softmax cross entropy by relevance", true, false,
       [](double t, const loss_options&) {
         return both_ways(rankloss::softmax_cross_entropy{.temperature = t});
       }},
      {"listnet", "ListNet", false, false,
       [](double t, const loss_options&) { return both_ways(rankloss::listnet{.temperature = t}); }},
      {"sndcg", "S-NDCG", false, false,
       [](double t, const loss_options&) { return both_ways(rankloss::sndcg{.temperature = t}); }},
      {"smooth_ap", "Smooth-AP", false, false,
       [](double t, const loss_options&) {
         return both_ways(rankloss::smooth_ap{.ranks = {.temperature = t}});
       }},
      {"neural_ndcg", "NeuralNDCG; the transposed form is the same number", false, false,
       [](double t, const loss_options&) { return both_ways(neural_ndcg{.temperature = t}); }},
      {"neural_ndcg_unscaled", "NeuralNDCG without Sinkhorn scaling", false, false,
       [](double t, const loss_options&) { return both_ways(neural_ndcg{.temperature = t, .steps = 0}); }},
      {"neural_ndcg_stochastic", "NeuralNDCG over scores with Gumbel noise", false, false, noisy},
  };
  return all;
}

}  // namespace cross_modal
