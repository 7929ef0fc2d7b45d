// SPDX-License-Identifier: BSL-1.0

// The losses of lists: a new one joins by a line here, and by one in support/shared_losses.hpp.

#include "lists.hpp"

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
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/shared_losses.hpp"

#include <cstddef>
#include <random>
#include <vector>

namespace promises {

const std::vector<list_loss>& list_losses() {
  using rankloss::gain;
  using rankloss::ideal;
  using rankloss::sndcg;
  using rankloss::weighted;
  namespace metrics = rankloss::metrics;
  static const std::vector<double> table{0.0, 0.5, 3.0, 1.0};  // the highest grade is worth nothing
  static const std::vector<double> thresholds{-3.1, -0.6, 1.2};
  static const std::vector<list_loss> all{
      {"sndcg, temperature 1", {.length = 1.0, .step = 0.01}, sndcg{.temperature = 1.0}},
      {"sndcg, temperature 0.1", {.length = 0.1, .step = 0.001}, sndcg{.temperature = 0.1}},
      {"sndcg, linear gain", {.length = 0.1, .step = 0.001}, sndcg{.temperature = 0.1, .gain = gain::linear}},
      {"sndcg, table of gains",
       {.length = 1.0, .step = 0.01, .takes_below_0 = true},
       sndcg{.temperature = 1.0, .gain = gain::table, .gain_table = table}},
      {"sndcg, cutoff 5", {.length = 0.1, .step = 0.0002}, sndcg{.temperature = 0.1, .cutoff = 5}},
      {"sndcg, competition ranks",
       {.length = 0.1, .step = 0.001},
       sndcg{.temperature = 0.1, .ideal = ideal::competition_ranks}},
      {"weighted_sum of two sndcg",
       {.length = 0.3, .step = 0.003},
       rankloss::weighted_sum{weighted{0.3, sndcg{.temperature = 0.3}},
                              weighted{0.7, sndcg{.temperature = 1.0, .gain = gain::linear}}}},
      // Not stochastic, whose noise is keyed by places: it has tests of its own.
      {"smooth_ap",
       {.length = 0.3, .step = 0.003, .takes_below_0 = true},
       rankloss::smooth_ap{.ranks = {.temperature = 0.3}}},
      {"smooth_recall_at_k",
       {.length = 0.3, .step = 0.0005, .takes_below_0 = true},
       rankloss::smooth_recall_at_k{.metric = {.cutoff = 5}, .ranks = {.temperature = 0.3}}},
      {"smooth_metric of RBP and Laplace ranks",
       {.length = 0.3, .step = 0.001, .smooth = false},
       rankloss::smooth_metric<metrics::rank_biased_precision, rankloss::laplace_ranks>{
           {}, {.temperature = 0.3}}},
      {"smooth_metric of NDCG and projected ranks",
       {.length = 0.3, .step = 0.0001, .smooth = false},
       rankloss::smooth_metric<metrics::ndcg, rankloss::projected_ranks>{{}, {.temperature = 0.3}}},
      {"smooth_mrr",
       {.length = 0.3, .jumps = true, .takes_below_0 = true},
       rankloss::smooth_mrr{.ranks = {.temperature = 0.3}}},
      {"smooth_metric of ERR",
       {.length = 0.3, .jumps = true},
       rankloss::smooth_metric<metrics::expected_reciprocal_rank>{{}, {.temperature = 0.3}}},
      {"soft_spearman",
       {.length = 1.0, .step = 0.003, .smooth = false, .takes_below_0 = true},
       rankloss::soft_spearman<>{{.temperature = 1.0}}},
      {"neural_ndcg",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10},
       rankloss::neural_ndcg{.temperature = 0.3, .steps = 3, .tolerance = 0.0}},
      {"neural_ndcg, implicit",
       {.length = 0.15, .smooth = false, .rounding = 10, .sloped = false},
       rankloss::neural_ndcg{
           .temperature = 0.3, .steps = 30, .derivative = rankloss::sinkhorn_derivative::implicit}},
      {"neural_ndcg without Sinkhorn",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10},
       rankloss::neural_ndcg{.temperature = 0.3, .cutoff = 5, .steps = 0}},
      {"softmax_cross_entropy", {.length = 1.0, .step = 0.003}, rankloss::softmax_cross_entropy{}},
      {"softmax_cross_entropy, relevance as it is",
       {.length = 0.5, .step = 0.003},
       rankloss::softmax_cross_entropy{
           .temperature = 0.5, .target = rankloss::target::relevance, .poly = 0.7}},
      {"listnet",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::listnet{.temperature = 0.5, .relevance_temperature = 2.0}},
      {"xe_ndcg, constant gammas",
       {.length = 1.0, .step = 0.003},
       rankloss::xe_ndcg{.gammas = rankloss::gammas::constant}},
      {"listmle",
       {.length = 0.5, .step = 0.003, .by_item_order = true, .takes_below_0 = true},
       rankloss::listmle{.temperature = 0.5}},
      {"listmle, position weights and cutoff",
       {.length = 1.0, .step = 0.003, .by_item_order = true, .takes_below_0 = true},
       rankloss::listmle{.cutoff = 5, .weights = rankloss::position_weights::exponential}},
      {"listmle, exact ties",
       {.length = 1.0, .step = 0.01, .takes_below_0 = true},
       rankloss::listmle{.ties = rankloss::tie_order::exact}},
      {"unique_softmax", {.length = 1.0, .step = 0.01}, rankloss::unique_softmax{}},
      {"pointwise squared",
       {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::pointwise_squared{}},
      {"pointwise logistic",
       {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false},
       rankloss::pointwise_logistic{}},
      {"pointwise ordinal",
       {.length = 1.0, .step = 0.01, .shift_invariant = false, .zero_sum = false},
       rankloss::pointwise_ordinal{.function = {.thresholds = thresholds}}},
      {"pointwise smooth_l1, sum",
       {.length = 0.2,
        .step = 0.001,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::pointwise_smooth_l1{.function = {.beta = 0.2}, .over_items = rankloss::item_reduction::sum}},
      {"info_nce",
       {.length = 0.5, .step = 0.005, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5, .label_smoothing = 0.1}},
      {"info_nce, positives inside",
       {.length = 0.5, .step = 0.005, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5, .positives = rankloss::positive_share::inside}},
      {"info_nce, separate positives",
       {.length = 0.5, .step = 0.005, .takes_below_0 = true},
       rankloss::info_nce{.temperature = 0.5, .positives = rankloss::positive_share::separate}},
      // Debiased: a kink where the negatives are no more than is expected of positives.
      {"info_nce, debiased",
       {.length = 0.5,
        .step = 0.005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::info_nce{
           .temperature = 0.5, .positives = rankloss::positive_share::separate, .positive_prior = 0.05}},
      {"siglip",
       {.length = 0.5, .step = 0.005, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::siglip{.temperature = 0.5, .bias = -1.0}},
      {"multi_similarity",
       {.length = 0.2, .step = 0.002, .shift_invariant = false, .zero_sum = false, .takes_below_0 = true},
       rankloss::multi_similarity{.alpha = 2.0, .beta = 5.0}},
      // Kinks at -0.4 and 1.4, which no score is.
      {"circle",
       {.length = 0.2,
        .step = 0.0005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .sloped = false,
        .takes_below_0 = true},
       rankloss::circle{.gamma = 2.0}},
      {"circle, differentiated weights",
       {.length = 0.2,
        .step = 0.0005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::circle{.gamma = 2.0, .weights = rankloss::circle_weights::differentiated}},
      {"contrastive",
       {.length = 0.5,
        .step = 0.0005,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .takes_below_0 = true},
       rankloss::contrastive{.positive_margin = 0.3,
                             .negative_margin = 1.7,
                             .distance = rankloss::distance::cosine,
                             .form = rankloss::contrastive_form::half_square}},
      {"nca", {.length = 0.5, .step = 0.003, .takes_below_0 = true}, rankloss::nca{}},
      {"cmpm",
       {.length = 0.5, .step = 0.003, .takes_below_0 = true},
       rankloss::cmpm{.temperature = 0.5, .epsilon = 1e-3}},
      {"ranknet", {.length = 1.0, .step = 0.01, .takes_below_0 = true}, rankloss::ranknet{}},
      {"soft zero one, mean of pairs",
       {.length = 0.5, .step = 0.005, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::soft_zero_one>{.function = {.temperature = 0.5},
                                                          .average = rankloss::pairs::average::pairs}},
      {"squared hinge without margin",
       {.length = 1.0, .step = 0.001, .smooth = false, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::squared_hinge>{.function = {.margin = 0.0}}},
      {"squared difference, by differences of relevance",
       {.length = 1.0, .step = 0.1, .takes_below_0 = true},
       rankloss::pairwise<rankloss::pairs::squared_difference, rankloss::pairs::relevance_difference>{}},
      {"lambdarank",
       {.length = 0.5, .step = 0.0005, .smooth = false, .by_item_order = true},
       rankloss::lambdarank{.function = {.temperature = 0.5}}},
      {"lambdarank_map, cutoff 5",
       {.length = 1.0, .step = 0.0005, .smooth = false, .by_item_order = true, .takes_below_0 = true},
       rankloss::lambdarank_map{.cutoff = 5}},
      {"ndcg_loss2_plus",
       {.length = 1.0, .step = 0.0005, .smooth = false, .by_item_order = true},
       rankloss::ndcg_loss2_plus{}},
      {"ndcg_loss1",
       {.length = 1.0, .step = 0.001, .smooth = false, .by_item_order = true},
       rankloss::ndcg_loss1{}},
      {"arp_loss1", {.length = 1.0, .step = 0.01}, rankloss::arp_loss1{}},
      {"triplet, all, soft",
       {.length = 1.0, .step = 0.01, .takes_below_0 = true},
       rankloss::triplet{.mine = rankloss::mining::all, .form = rankloss::triplet_form::soft}},
      {"triplet, all, mean of active ones",
       {.smooth = false, .takes_below_0 = true},
       rankloss::triplet{.mine = rankloss::mining::all, .average = rankloss::triplet_average::active}},
      {"triplet, semi-hard",
       {.smooth = false, .takes_below_0 = true},
       rankloss::triplet{.mine = rankloss::mining::semi_hard}},
      // Its bins have edges at scores of 0 and 1.
      {"fast_ap",
       {.length = 0.1,
        .smooth = false,
        .shift_invariant = false,
        .zero_sum = false,
        .sloped = false,
        .takes_below_0 = true},
       rankloss::fast_ap{}},
      {"neural_sort_cross_entropy",
       {.length = 0.15, .step = 0.001, .smooth = false, .rounding = 10, .takes_below_0 = true},
       rankloss::neural_sort_cross_entropy{.temperature = 0.3}},
  };
  return all;
}

template std::vector<float> scores_of<float>(std::mt19937_64&, std::size_t, kind);
template std::vector<double> scores_of<double>(std::mt19937_64&, std::size_t, kind);
template std::vector<float> grades_of<float>(std::mt19937_64&, std::size_t);
template std::vector<double> grades_of<double>(std::mt19937_64&, std::size_t);
template std::vector<float> on_grid<float>(std::mt19937_64&, std::size_t);
template std::vector<double> on_grid<double>(std::mt19937_64&, std::size_t);
template std::vector<std::vector<float>> extreme_scores<float>(std::mt19937_64&, std::size_t);
template std::vector<std::vector<double>> extreme_scores<double>(std::mt19937_64&, std::size_t);

template struct lists<float>;
template struct lists<double>;
template lists<float> short_lists<float>(bool);
template lists<double> short_lists<double>(bool);
template lists<float> all_lists<float>();
template lists<double> all_lists<double>();
template result<float> run<list_loss, rankloss::list_batch<float>>(const list_loss&,
                                                                   const rankloss::list_batch<float>&, wanted,
                                                                   rankloss::context&, double);
template result<double> run<list_loss, rankloss::list_batch<double>>(const list_loss&,
                                                                     const rankloss::list_batch<double>&,
                                                                     wanted, rankloss::context&, double);

}  // namespace promises
