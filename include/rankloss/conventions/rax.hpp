// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/conventions/counting.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/unique_softmax.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// Rax, at af92de1.
namespace rax {

inline constexpr convention description{
    .name = "Rax",
    .value = "-metric",
    .gain = "2^y - 1",
    .discount = "1 / log2(1 + r)",
    .ties = "as they lie, or by a random key",
    .without_relevance = "0, in the mean",
    .reduction = "mean over lists, pairs or items of the batch",
    .cutoff = "topn; in losses a sigmoid between the scores of ranks n and n + 1",
    .logarithm = "natural",
    .temperature = "divides, 1"};

inline constexpr rankloss::reduction reduction =
    rankloss::reduction::mean;  ///< with pair_counts or item_weights for pairs and items

/// softmax_loss, with the relevance itself as target. poly1_softmax_loss adds epsilon (1 - sum y p / sum y),
/// which in Rax is not 0 without relevance.
[[nodiscard]] constexpr softmax_cross_entropy softmax() { return {.target = target::relevance}; }
[[nodiscard]] constexpr softmax_cross_entropy poly1_softmax(double epsilon = 1.0) {
  return {.target = target::relevance, .poly = epsilon};
}

[[nodiscard]] constexpr rankloss::unique_softmax unique_softmax() { return {}; }  ///< unique_softmax_loss
[[nodiscard]] constexpr rankloss::listmle listmle() { return {.ties = tie_order::stable}; }  ///< listmle_loss

/// pairwise_hinge_loss, pairwise_logistic_loss, pairwise_soft_zero_one_loss: the mean over all pairs of the
/// batch with pair_counts. pairwise_mse_loss also counts pairs of equal relevance and pairs of an item with
/// itself, and has no preset.
[[nodiscard]] constexpr pairwise<pairs::hinge> pairwise_hinge() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr pairwise<pairs::logistic> pairwise_logistic() {
  return {.average = pairs::average::pairs};
}
[[nodiscard]] constexpr pairwise<pairs::soft_zero_one> pairwise_soft_zero_one() {
  return {.average = pairs::average::pairs};
}

/// pairwise_logistic_loss with labeldiff_, dcg_ and dcg2_lambdaweight; the mean over all pairs as above. In
/// Rax the latter two are multiplied by the length of the list, which is one common factor if all lists are
/// equally long. normalise: divided by the ideal DCG. There is no topn: in Rax it cuts the discounts, here it
/// would also cut the ideal DCG.
[[nodiscard]] constexpr arp_loss2 labeldiff_lambda() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr lambdarank dcg_lambda(bool normalise = false) {
  return {.weight = {.scale = normalise ? pairs::scale_by::ideal : pairs::scale_by::none},
          .average = pairs::average::pairs};
}
[[nodiscard]] constexpr ndcg_loss2 dcg2_lambda(bool normalise = false) {
  return {.weight = {.scale = normalise ? pairs::scale_by::ideal : pairs::scale_by::none},
          .average = pairs::average::pairs};
}

/// pointwise_mse_loss, pointwise_sigmoid_loss: the mean over all items of the batch with item_weights.
[[nodiscard]] constexpr pointwise_squared pointwise_mse() { return {}; }
[[nodiscard]] constexpr pointwise_logistic pointwise_sigmoid() { return {}; }

/// approx_t12n of ndcg_metric, and of any metric below. In Rax its topn is approx_cutoff, a sigmoid of
/// scores; here it is a cut of the soft ranks, so the two agree only without a cutoff. bound_t12n, ranks by
/// hinges, has no counterpart.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double temperature = 1.0) {
  return {.temperature = temperature};
}
template <class Metric>
[[nodiscard]] constexpr smooth_metric<Metric> approx(const Metric& metric, double temperature = 1.0) {
  return {.metric = metric, .ranks = {.temperature = temperature}};
}

/// Metrics. Items are relevant there if y >= 1, here if y > 0; precision divides by the number of retrieved
/// items, average precision by that of all relevant items.
[[nodiscard]] constexpr metrics::ndcg ndcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::dcg dcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::reciprocal_rank mrr(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_precision ap(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::precision precision(std::size_t topn = 0) {
  return {.cutoff = topn, .over = metrics::precision_over::retrieved};
}
[[nodiscard]] constexpr metrics::recall recall(std::size_t topn = 0) { return {.cutoff = topn}; }

}  // namespace rax

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
