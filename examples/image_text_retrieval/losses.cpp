// SPDX-License-Identifier: BSL-1.0
#include "losses.hpp"

#include <rankloss/bidirectional.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>
#include "../support/adam.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

namespace retrieval {
namespace {

using examples::evaluated;

loss_of_run mixture(const loss_options& o, double weight) {
  // One type for all three: a term of weight 0 is not run.
  return {evaluated(rankloss::weighted_sum{
      rankloss::weighted{1.0 - weight, rankloss::triplet{.margin = o.margin}},
      rankloss::weighted{weight, rankloss::bidirectional<rankloss::sndcg>{{.temperature = o.temperature}}}})};
}

/// A loss whose temperature, and bias if it has one, are moved by Adam in each step. The temperature is moved
/// through its logarithm, as in CLIP, so that it stays above 0, and as there it stays at 0.01 or above.
template <class Loss>
loss_of_run learned(const Loss& start, double rate) {
  using numbers = examples::parameter_array<double>;
  constexpr bool has_bias = requires { start.bias; };
  constexpr double least_temperature = 0.01;
  struct state {
    Loss loss;
    numbers at;  // log temperature, bias
    examples::adam<double> optimiser;
    learned_numbers told{};
  };
  numbers at(has_bias ? 2 : 1);
  at[0] = std::log(start.temperature);
  if constexpr (has_bias) at[1] = start.bias;
  const auto now = std::make_shared<state>(state{start, at, examples::adam<double>(at, 0.0)});
  const auto tell = [now] {
    now->told = {.temperature = now->loss.temperature, .has_bias = has_bias};
    if constexpr (has_bias) now->told.bias = now->loss.bias;
  };
  tell();
  return {
      [now, rate, tell](const rankloss::embedding_batch<float>& batch, const rankloss::embedding_outputs& out,
                        rankloss::context& context, const examples::train_step& step) {
        double by_temperature = 0.0;
        double by_bias = 0.0;
        rankloss::embedding_outputs all = out;
        all.temperature_gradient = &by_temperature;
        if constexpr (has_bias) all.bias_gradient = &by_bias;
        const double value = rankloss::evaluate(now->loss, batch, all, context);
        numbers slopes(now->at.size());
        slopes[0] = by_temperature * now->loss.temperature;
        if constexpr (has_bias) slopes[1] = by_bias;
        now->optimiser.step(now->at, slopes, rate * step.rate);
        now->at[0] = std::max(now->at[0], std::log(least_temperature));
        now->loss.temperature = std::exp(now->at[0]);
        if constexpr (has_bias) now->loss.bias = now->at[1];
        tell();
        return value;
      },
      std::shared_ptr<const learned_numbers>(now, &now->told)};
}

rankloss::info_nce info_nce(const loss_options& o, rankloss::positive_share positives) {
  return {.temperature = o.infonce_temperature, .positives = positives};
}

}  // namespace

const std::vector<named_loss>& all_losses() {
  using rankloss::positive_share;
  static const std::vector<named_loss> all{
      {"triplet", "triplet", false, [](const loss_options& o) { return mixture(o, 0.0); }},
      {"sndcg", "S-NDCG", true, [](const loss_options& o) { return mixture(o, 1.0); }},
      {"both", "both", true, [](const loss_options& o) { return mixture(o, o.weight); }},
      // Of an image's captions in a batch, each competes with those of other images alone ...
      {"infonce", "InfoNCE", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(info_nce(o, positive_share::separate))};
       }},
      {"infonce-learned", "InfoNCE-learned", false,
       [](const loss_options& o) { return learned(info_nce(o, positive_share::separate), o.learned_rate); }},
      // ... or with each other, too.
      {"supcon", "SupCon", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(info_nce(o, positive_share::outside))};
       }},
      {"siglip", "SigLIP", false,
       [](const loss_options& o) {
         return learned(rankloss::siglip{.temperature = o.siglip_temperature, .bias = o.siglip_bias},
                        o.learned_rate);
       }},
      {"smooth_ap", "Smooth-AP", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(
             rankloss::bidirectional<rankloss::smooth_ap>{{.ranks = {.temperature = o.ap_temperature}}})};
       }},
      {"multi_similarity", "multi-simil.", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(
             rankloss::multi_similarity{.alpha = o.ms_alpha, .beta = o.ms_beta, .base = o.ms_base})};
       }},
      {"circle", "circle", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(rankloss::circle{.margin = o.circle_margin, .gamma = o.circle_gamma})};
       }},
      {"cmpm", "CMPM", false,
       [](const loss_options& o) -> loss_of_run {
         return {evaluated(rankloss::cmpm{.temperature = o.cmpm_temperature})};
       }},
  };
  return all;
}

std::vector<named_loss> chosen_losses(const std::vector<std::string>& names) {
  const auto named = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<named_loss> chosen;
  for (const named_loss& loss : all_losses()) {
    const bool of_all = loss.option == "triplet" || loss.option == "sndcg" || loss.option == "both";
    if (named("every") || (of_all && named("all")) || named(loss.option)) chosen.push_back(loss);
  }
  return chosen;
}

}  // namespace retrieval
