// SPDX-License-Identifier: BSL-1.0

// The losses of scaled lists: a new one joins by a line here, and by one in support/shared_losses.hpp.

#include "scaled_lists.hpp"

#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/smooth_precision_at_k.hpp>
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/shared_losses.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace promises {

namespace {

const std::vector<double> table{0.0, 0.5, 3.0, 1.0};
const std::vector<double> tiny_table{0.0, 5e-311, 3e-310, 1e-310};
const std::vector<double> thresholds{-1e308, -1.0, std::nextafter(-1.0, 0.0), 1e-310, 1e308};

}  // namespace

template <class T>
const std::vector<scaled_loss<T>>& scaled_losses() {
  using namespace rankloss;
  using scaling::complement;
  using scaling::factor;
  using scaling::none;
  const scaling_claims bounded{.bounded = true};
  const scaling_claims binary{.by_relevance = none, .bounded = true};
  const scaling_claims weighed{.by_weight = factor};
  const scaling_claims weighed_pairs{.by_weight = factor, .by_relevance = none};
  const auto smooth = [](auto metric, auto ranks) {
    return smooth_metric<decltype(metric), decltype(ranks)>{metric, ranks};
  };
  static const std::vector<scaled_loss<T>> all{
      {"sndcg", bounded, [](double c) { return sndcg{.temperature = c}; }},
      {"sndcg, linear gain, cutoff", binary,
       [](double c) { return sndcg{.temperature = c, .gain = gain::linear, .cutoff = 3}; }},
      {"sndcg, table", bounded,
       [](double c) { return sndcg{.temperature = c, .gain = gain::table, .gain_table = table}; }},
      {"sndcg, table of subnormal gains", bounded,
       [](double c) { return sndcg{.temperature = c, .gain = gain::table, .gain_table = tiny_table}; }},
      {"smooth_ap", binary, [](double c) { return smooth_ap{.ranks = {.temperature = c}}; }},
      {"smooth_recall_at_k", binary,
       [](double c) { return smooth_recall_at_k{.metric = {.cutoff = 3}, .ranks = {.temperature = c}}; }},
      {"smooth_precision_at_k",
       {.by_weight = complement, .by_relevance = none, .bounded = true},
       [](double c) { return smooth_precision_at_k{.metric = {.cutoff = 3}, .ranks = {.temperature = c}}; }},
      {"smooth RBP of Laplace ranks",
       {.by_weight = complement, .by_relevance = complement, .bounded = true},
       [smooth](double c) {
         return smooth(metrics::rank_biased_precision{}, laplace_ranks{.temperature = c});
       }},
      {"smooth NDCG of projected ranks", bounded,
       [smooth](double c) { return smooth(metrics::ndcg{}, projected_ranks{.temperature = c}); }},
      {"smooth NDCG of entropic ranks", binary,
       [smooth](double c) {
         return smooth(metrics::ndcg{.gain = gain::linear},
                       projected_ranks{.temperature = c, .regularization = regularization::entropic});
       }},
      {"smooth_mrr", binary, [](double c) { return smooth_mrr{.ranks = {.temperature = c}}; }},
      {"smooth ERR", bounded,
       [smooth](double c) {
         return smooth(metrics::expected_reciprocal_rank{}, sigmoid_ranks{.temperature = c});
       }},
      {"soft_spearman", binary, [](double c) { return soft_spearman<>{{.temperature = c}}; }},
      {"soft_spearman of projected ranks", binary,
       [](double c) { return soft_spearman<projected_ranks>{{.temperature = c}}; }},
      {"neural_ndcg", bounded,
       [](double c) { return neural_ndcg{.temperature = c, .steps = 5, .tolerance = 0.0}; }},
      {"neural_ndcg without Sinkhorn", binary,
       [](double c) { return neural_ndcg{.temperature = c, .gain = gain::linear, .cutoff = 3, .steps = 0}; }},
      {"neural_sort_cross_entropy", {}, [](double c) { return neural_sort_cross_entropy{.temperature = c}; }},
      {"softmax_cross_entropy",
       {.by_relevance = none},
       [](double c) { return softmax_cross_entropy{.temperature = c}; }},
      {"softmax_cross_entropy, relevance as it is",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return softmax_cross_entropy{.temperature = c, .target = target::relevance}; }},
      {"listnet", {}, [](double c) { return listnet{.temperature = c, .relevance_temperature = 2.0}; }},
      {"xe_ndcg", {}, [](double c) { return xe_ndcg{.temperature = c, .gammas = gammas::constant}; }},
      {"xe_ndcg, gamma of 1",
       {},
       [](double c) { return xe_ndcg{.temperature = c, .gammas = gammas::constant, .gamma = 1.0}; }},
      {"listmle",
       {.by_weight = factor, .by_relevance = none, .ordered = true},
       [](double c) { return listmle{.temperature = c}; }},
      {"listmle, position weights and cutoff",
       {.by_weight = factor, .by_relevance = none, .ordered = true},
       [](double c) {
         return listmle{.temperature = c, .cutoff = 3, .weights = position_weights::exponential};
       }},
      {"listmle, exact ties",
       {.by_relevance = none},
       [](double c) { return listmle{.temperature = c, .ties = tie_order::exact}; }},
      {"unique_softmax",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return unique_softmax{.temperature = c, .gain = gain::linear}; }},
      {"ranknet", weighed_pairs, [](double c) { return ranknet{.function = {.temperature = c}}; }},
      {"ranknet, mean by weight",
       {.by_relevance = none},
       [](double c) { return ranknet{.function = {.temperature = c}, .average = pairs::average::weight}; }},
      {"ranknet, cutoff", weighed_pairs,
       [](double c) { return ranknet{.function = {.temperature = c}, .cutoff = 3}; }},
      {"soft zero one",
       {.by_weight = factor, .by_relevance = none, .bounded = true},
       [](double c) {
         return pairwise<pairs::soft_zero_one>{.function = {.temperature = c},
                                               .average = pairs::average::pairs};
       }},
      {"hinge",
       {.by_weight = factor, .by_relevance = none, .degree = 1},
       [](double c) { return pairwise<pairs::hinge>{.function = {.margin = c}}; }},
      {"hinge without margin",
       {.by_weight = factor, .by_relevance = none, .degree = 1},
       [](double) { return pairwise<pairs::hinge>{.function = {.margin = 0.0}}; }},
      {"squared hinge",
       {.by_weight = factor, .by_relevance = none, .degree = 2},
       [](double c) { return pairwise<pairs::squared_hinge>{.function = {.margin = c}}; }},
      {"exponential", weighed_pairs,
       [](double c) { return pairwise<pairs::exponential>{.function = {.temperature = c}}; }},
      {"squared difference",
       {.by_weight = factor, .lengths = false},
       [](double) { return pairwise<pairs::squared_difference>{}; }},
      {"quantile",
       {.by_weight = factor, .lengths = false},
       [](double) { return pairwise<pairs::quantile>{.function = {.tau = 1.0}}; }},
      {"lambdarank", weighed, [](double c) { return lambdarank{.function = {.temperature = c}}; }},
      {"lambdarank, linear gain, as it is",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) {
         return lambdarank{.function = {.temperature = c},
                           .weight = {.gain = gain::linear, .scale = pairs::scale_by::none}};
       }},
      {"lambdarank_map, cutoff", weighed_pairs,
       [](double c) { return lambdarank_map{.function = {.temperature = c}, .cutoff = 3}; }},
      {"ndcg_loss1",
       {.by_weight = factor, .by_relevance = none},
       [](double c) { return ndcg_loss1{.function = {.temperature = c}, .weight = {.gain = gain::linear}}; }},
      {"ndcg_loss2_plus", weighed, [](double c) { return ndcg_loss2_plus{.function = {.temperature = c}}; }},
      {"arp_loss1",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return arp_loss1{.function = {.temperature = c}}; }},
      {"arp_loss2",
       {.by_weight = factor, .by_relevance = factor},
       [](double c) { return arp_loss2{.function = {.temperature = c}}; }},
      {"differences of squares", weighed,
       [](double c) {
         return arp_loss2{.function = {.temperature = c}, .weight = {pairs::difference_of::squares}};
       }},
      {"fast_ap",
       {.by_relevance = none, .lengths = false, .bounded = true},
       [](double) { return fast_ap{}; }},
      {"pointwise squared", {.lengths = false}, [](double) { return pointwise_squared{}; }},
      {"pointwise logistic, sum",
       {.by_weight = factor, .lengths = false},
       [](double) { return pointwise_logistic{.over_items = item_reduction::sum}; }},
      {"pointwise ordinal",
       {.lengths = false},
       [](double) { return pointwise_ordinal{.function = {.thresholds = thresholds}}; }},
      {"pointwise smooth_l1",
       {.lengths = false},
       [](double c) { return pointwise_smooth_l1{.function = {.beta = c}}; }},
      {"info_nce", {.by_relevance = none}, [](double c) { return info_nce{.temperature = c}; }},
      {"info_nce, positives inside",
       {.by_relevance = none},
       [](double c) { return info_nce{.temperature = c, .positives = positive_share::inside}; }},
      {"info_nce, separate positives",
       {.by_relevance = none},
       [](double c) { return info_nce{.temperature = c, .positives = positive_share::separate}; }},
      {"siglip", {.by_relevance = none}, [](double c) { return siglip{.temperature = c, .bias = -1.0}; }},
      {"multi_similarity",
       {.by_relevance = none, .degree = 1},
       [](double c) { return multi_similarity{.alpha = 1.0 / c, .beta = 1.0 / c, .base = 0.0}; }},
      {"circle", {.by_relevance = none, .lengths = false}, [](double c) { return circle{.gamma = 1.0 / c}; }},
      {"contrastive",
       {.by_relevance = none, .lengths = false},
       [](double) { return contrastive{.form = contrastive_form::half_square}; }},
      {"nca",
       {.by_relevance = none},
       [](double c) { return nca{.scale = 1.0 / c, .distance = distance::cosine}; }},
      {"cmpm", {.by_relevance = none}, [](double c) { return cmpm{.temperature = c}; }},
      {"weighted_sum",
       {},
       [](double c) {
         return weighted_sum{weighted{0.25, sndcg{.temperature = c}},
                             weighted{2.0, softmax_cross_entropy{.temperature = c}}};
       }},
  };
  return all;
}

template const std::vector<scaled_loss<float>>& scaled_losses<float>();
template const std::vector<scaled_loss<double>>& scaled_losses<double>();

template struct problem<float>;
template struct problem<double>;
template problem<float> plain_problem<float>(std::size_t, unsigned);
template problem<double> plain_problem<double>(std::size_t, unsigned);

}  // namespace promises
