// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/conventions/counting.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// allRank, at c884756.
namespace allrank {

inline constexpr convention description{
    .name = "allRank",
    .value = "-metric",
    .gain = "2^y - 1",
    .discount = "1 / log2(1 + r)",
    .ties = "in the order of the sort; listMLE: shuffled",
    .without_relevance = "losses 0, in the mean (neuralNDCG: left out); ndcg 1",
    .reduction = "mean over lists; rankNet: over the pairs of the batch; lambdaLoss: their sum",
    .cutoff = "lambdaLoss: both items among the first k; approxNDCG: none",
    .logarithm = "binary in lambdaLoss, natural in rankNet",
    .temperature = "alpha and sigma multiply, 1"};

/// For list losses, and for rankNet with pair_counts. By default lambdaLoss sums, and neuralNDCG leaves out
/// lists without relevance.
inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;
inline constexpr rankloss::reduction lambda_loss_reduction = rankloss::reduction::sum;
inline constexpr rankloss::reduction neural_ndcg_reduction = rankloss::reduction::mean_of_relevant;

/// approxNDCGLoss, whose alpha multiplies scores. allRank's sigmoids are at least 1e-10.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double alpha = 1.0) {
  return {.temperature = 1.0 / alpha};
}

/// listNet, which has a target for lists without relevance too. allRank adds 1e-10 to probabilities.
[[nodiscard]] constexpr rankloss::listnet listnet() { return {}; }

/// binary_listNet, whose target is the relevance divided by its sum.
[[nodiscard]] constexpr softmax_cross_entropy binary_listnet() { return {.target = target::normalised}; }

/// listMLE, with equal relevance in random order, by other random numbers. allRank adds 1e-10 inside the
/// logarithm, which changes the value of lists with a wide spread of scores.
[[nodiscard]] constexpr rankloss::listmle listmle(std::uint64_t seed = 0) {
  return {.ties = tie_order::random, .seed = seed};
}

/// neuralNDCG, and its transposed form, with at most 50 steps of Sinkhorn's scaling. In allRank all lists of
/// a batch stop together, and padding must be last.
[[nodiscard]] constexpr rankloss::neural_ndcg neural_ndcg(double tau = 1.0, std::size_t k = 0) {
  return {.temperature = tau, .cutoff = k, .steps = 50, .tolerance = 1e-6};
}

/// rankNet, and below it weightByDiff and weightByDiff_powed. With pair_counts the mean over all pairs of the
/// batch.
[[nodiscard]] constexpr rankloss::ranknet ranknet() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr pairwise<pairs::logistic, pairs::relevance_difference> ranknet_by_difference(
    pairs::difference_of of = pairs::difference_of::relevance) {
  return {.weight = {of}, .average = pairs::average::pairs};
}

/// The weighing schemes of lambdaLoss; rankNet_scheme is the same as none.
enum class scheme {
  none,
  ndcg_loss1,
  ndcg_loss2,
  ndcg_loss2_plus,
  lambdarank,
  difference,
  difference_of_squares
};

/// lambdaLoss with weighing_scheme, k, sigma, mu: both items of a pair are among the first k, the ideal DCG
/// is that of k ranks, and the logarithm is binary. For its reduction "sum" use lambda_loss_reduction; for
/// "mean" use average = pairs::average::pairs, pair_counts and `reduction`.
///
/// In allRank the sigmoids p are at least 1e-10, and so are their powers p^w with w the weight of the pair;
/// nothing is clamped here. A pair in the wrong order by a gap d has no gradient there where log(1 +
/// exp(sigma d)), or w times that, exceeds log 1e10 = 23.03: from d = 23 / sigma on, and for weights above 1
/// from about 23 / (w sigma) on (1.17 / sigma for the squares of the grades 0 and 4). Its loss stays at 33.2
/// bits, or at w times that if w < 1.
template <scheme Scheme = scheme::none>
[[nodiscard]] constexpr auto lambda_loss(std::size_t k = 0, double sigma = 1.0, double mu = 10.0) {
  const auto weighed = [&](const auto& weight) {
    pairwise<pairs::logistic, std::remove_cvref_t<decltype(weight)>> loss{
        .function = {.temperature = 1.0 / sigma, .logarithm = pairs::logarithm::binary},
        .weight = weight,
        .cutoff = k,
        .keep = pairs::keep::both};
    if constexpr (requires { loss.weight.cutoff; }) loss.weight.cutoff = k;
    if constexpr (requires { loss.weight.mu; }) loss.weight.mu = mu;
    return loss;
  };
  using enum scheme;
  if constexpr (Scheme == ndcg_loss1) return weighed(pairs::ndcg_loss1{});
  if constexpr (Scheme == ndcg_loss2) return weighed(pairs::ndcg_loss2{});
  if constexpr (Scheme == ndcg_loss2_plus) return weighed(pairs::ndcg_loss2_plus{});
  if constexpr (Scheme == lambdarank) return weighed(pairs::delta_ndcg{});
  if constexpr (Scheme == difference) return weighed(pairs::relevance_difference{});
  if constexpr (Scheme == difference_of_squares)
    return weighed(pairs::relevance_difference{pairs::difference_of::squares});
  if constexpr (Scheme == none) return weighed(pairs::equal{});
}

/// metrics.ndcg: lists without relevance count 1, its filler value. (allRank's metrics.mrr takes only the
/// highest grade as relevant: pass relevance 1 for it, else 0.)
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(std::size_t k = 0) {
  return {.metric = {.cutoff = k}, .otherwise = 1.0};
}

}  // namespace allrank

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
