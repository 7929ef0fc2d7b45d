// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/bidirectional.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// Listwise_ITR, at 9c5d9fa: the published code of S-NDCG, arXiv 2305.16566. It is for square matrices, uses
/// the relevance of rows in both directions, and has an ideal DCG in which ties share the best rank; both are
/// options here that are off by default. Relevance comes from relevance_scores. The published code clamps
/// exponents at 50.
namespace listwise_itr {

inline constexpr convention description{.name = "Listwise_ITR",
                                        .value = "1 - metric",
                                        .gain = "2^y - 1",
                                        .discount = "1 / log2(1 + r)",
                                        .ties = "relevance: share the best rank of the ideal DCG",
                                        .without_relevance = "none: a pair is relevant to itself",
                                        .reduction = "half the mean of either direction",
                                        .cutoff = "none",
                                        .logarithm = "none",
                                        .temperature = "divides, 0.01"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// The listwise part: tau divides, the ideal DCG is by competition ranks, columns use the relevance of rows.
[[nodiscard]] constexpr bidirectional<rankloss::sndcg> sndcg(double tau = 0.01) {
  return {.loss = {.temperature = tau, .ideal = ideal::competition_ranks},
          .columns_by = column_relevance::of_rows};
}
/// The pairwise part: the mean of the hinges to the hardest negative (VSE++ takes their sum).
[[nodiscard]] constexpr rankloss::triplet triplet(double margin = 0.2) {
  return {.margin = margin, .mine = mining::hardest};
}

/// TripletSNDCGLoss: (1 - w) of the pairwise part and w of the listwise one.
[[nodiscard]] inline weighted_sum<rankloss::triplet, bidirectional<rankloss::sndcg>> triplet_sndcg(
    double w, double tau = 0.01, double margin = 0.2) {
  return {weighted{1.0 - w, triplet(margin)}, weighted{w, sndcg(tau)}};
}

/// The NDCG that it reports beside the loss: the mean of both directions.
[[nodiscard]] constexpr bidirectional<metrics::ndcg> ndcg() {
  return {.loss = {.ideal = ideal::competition_ranks}, .columns_by = column_relevance::of_rows};
}

}  // namespace listwise_itr

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
