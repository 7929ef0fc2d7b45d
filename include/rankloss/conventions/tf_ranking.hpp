// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/conventions/counting.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/unique_softmax.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// TensorFlow Ranking, at 5b1d133: its per-list losses and weights.
///
/// Its estimators divide the sum of weight * loss by the number of lists with a weight above 0, its Keras
/// losses by the number of lists; here the divisor is the sum of the weights. For weights of 0 and 1 that is
/// the same as in the estimators; without list_weights it is the same as in the Keras losses.
namespace tf_ranking {

inline constexpr convention description{
    .name = "TensorFlow Ranking",
    .value = "-metric",
    .gain = "2^y - 1; y in DCGLambdaWeight",
    .discount = "1 / ln(1 + r), which cancels in NDCG; 1 / r in DCGLambdaWeight",
    .ties = "shuffled",
    .without_relevance = "losses: weight 0; metrics: 0, in the mean",
    .reduction = "weighted mean; a list's weight is sum w y / sum y",
    .cutoff = "topn of metrics and lambda weights; losses: none",
    .logarithm = "natural",
    .temperature = "divides; ApproxNDCG and ApproxMRR 0.1, others 1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;  ///< with the list weights below

/// List weights for listwise losses, in which item weights are not part of the loss: sum w y / sum y, 0
/// without relevance.
template <class T, class R>
[[nodiscard]] std::vector<double> list_weights(const list_batch<T, R>& batch) {
  const auto relevance = [&](std::size_t at) {
    return std::max(static_cast<double>(batch.relevance[at]), 0.0);
  };
  const auto weight = [&](std::size_t at) {
    return batch.item_weights.empty() ? 1.0 : batch.item_weights[at];
  };
  std::vector<double> weights =
      counting::sums_over_items(batch, [&](std::size_t at) { return weight(at) * relevance(at); });
  const std::vector<double> totals = counting::sums_over_items(batch, relevance);
  for (std::size_t l = 0; l < weights.size(); ++l)
    weights[l] = totals[l] > 0.0 ? weights[l] / totals[l] : 0.0;
  return weights;
}

/// List weights for `softmax`, in which item weights multiply the relevance: sum w y.
template <class T, class R>
[[nodiscard]] std::vector<double> softmax_list_weights(const list_batch<T, R>& batch) {
  return counting::sums_over_items(batch, [&](std::size_t at) {
    return std::max(static_cast<double>(batch.relevance[at]), 0.0) *
           (batch.item_weights.empty() ? 1.0 : batch.item_weights[at]);
  });
}

/// approx_ranks, of scores already divided by the temperature. The library counts the item itself and adds
/// 1/2, which gives the same number.
[[nodiscard]] constexpr sigmoid_ranks approx_ranks(double temperature = 1.0) {
  return {.temperature = temperature};
}

/// ApproxNDCGLoss, with list_weights.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double temperature = 0.1) {
  return {.temperature = temperature};
}

/// ApproxMRRLoss, for lists with one relevant item. With several, the library takes the mean of 1 / rank
/// weighted by relevance; here it is the first one. With list_weights.
[[nodiscard]] constexpr rankloss::smooth_mrr approx_mrr(double temperature = 0.1) {
  return {.ranks = {.temperature = temperature}};
}

/// SoftmaxLoss: the target is the relevance, times item weights, divided by its sum; that sum is the weight
/// of the list: softmax_list_weights.
[[nodiscard]] constexpr softmax_cross_entropy softmax(double temperature = 1.0) {
  return {.temperature = temperature, .target = target::normalised};
}

/// UniqueSoftmaxLoss, with list_weights.
[[nodiscard]] constexpr rankloss::unique_softmax unique_softmax(double temperature = 1.0) {
  return {.temperature = temperature};
}

/// ListMLELoss, with equal relevance in random order, by other random numbers; with list_weights. In the
/// library padding adds to the value.
[[nodiscard]] constexpr rankloss::listmle list_mle(std::uint64_t seed = 0) {
  return {.ties = tie_order::random, .seed = seed};
}

/// NeuralSortCrossEntropyLoss and NeuralSortNDCGLoss, with list_weights: NeuralSort without Sinkhorn's
/// scaling.
[[nodiscard]] constexpr rankloss::neural_sort_cross_entropy neural_sort_cross_entropy(
    double temperature = 1.0) {
  return {.temperature = temperature};
}
[[nodiscard]] constexpr rankloss::neural_ndcg neural_sort_ndcg(double temperature = 1.0) {
  return {.temperature = temperature, .steps = 0};
}

/// PairwiseHingeLoss, PairwiseLogisticLoss, PairwiseSoftZeroOneLoss: the mean over pairs, weighted by the
/// item weight of the more relevant item; list weights are pair_weights. Lambda weights are not set: in the
/// library they are multiplied by the length of the list, and their default discounts are 1 / r.
[[nodiscard]] constexpr pairwise<pairs::hinge> pairwise_hinge() {
  return {.average = pairs::average::weight};
}
[[nodiscard]] constexpr pairwise<pairs::logistic> pairwise_logistic(double temperature = 1.0) {
  return {.function = {.temperature = temperature}, .average = pairs::average::weight};
}
[[nodiscard]] constexpr pairwise<pairs::soft_zero_one> pairwise_soft_zero_one(double temperature = 1.0) {
  return {.function = {.temperature = temperature}, .average = pairs::average::weight};
}

/// MeanSquaredLoss, SigmoidCrossEntropyLoss: the weighted mean over items; list weights are item_weights.
[[nodiscard]] constexpr pointwise_squared mean_squared() { return {}; }
[[nodiscard]] constexpr pointwise_logistic sigmoid_cross_entropy() { return {}; }

/// Metrics: a list without relevance has value 0 and counts. Items are relevant there if y >= 1, here if y >
/// 0; precision divides by the number of retrieved items.
[[nodiscard]] constexpr metrics::ndcg ndcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::reciprocal_rank mrr(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_precision mean_average_precision(std::size_t topn = 0) {
  return {.cutoff = topn};
}
[[nodiscard]] constexpr metrics::precision precision(std::size_t topn = 0) {
  return {.cutoff = topn, .over = metrics::precision_over::retrieved};
}
[[nodiscard]] constexpr metrics::recall recall(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_relevance_position average_relevance_position() { return {}; }

}  // namespace tf_ranking

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
