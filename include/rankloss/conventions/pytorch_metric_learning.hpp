// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/triplet.hpp>

#include <concepts>
#include <cstddef>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// PyTorch Metric Learning, 2.8.1. Its losses take embeddings and class labels: here the cosines of the
/// embeddings with each other, and the labels as the classes of rows and columns.
///
///     rankloss::similarity_batch<float> batch{.similarity = cosines,
///                                             .row_classes = labels,
///                                             .column_classes = labels,
///                                             .without_diagonal = true,
///                                             .reduction = peer::reduction};
///     const auto loss = peer::triplet_margin();
///     const std::vector<double> counts = peer::triplet_counts(loss, batch);
///     batch.row_weights = counts;  // the mean over the triplets of the batch, and not over its queries
///     rankloss::evaluate(loss, batch, {.gradient = gradient});
///
/// Each row is a query, and the gradient by the cosines is to be chained on to the embeddings, by both of the
/// places that a pair has in the matrix. A distance of 0 has slope 0, as there. Its reducers with thresholds
/// of their own, `swap`, and triplets that are drawn at random have no counterpart.
namespace pytorch_metric_learning {

inline constexpr convention description{.name = "PyTorch Metric Learning",
                                        .value = "1 - metric",
                                        .gain = "none",
                                        .discount = "none",
                                        .ties = "miners: the first of equal items",
                                        .without_relevance = "left out of the mean",
                                        .reduction = "mean over triplets or queries that cost anything",
                                        .cutoff = "none",
                                        .logarithm = "natural",
                                        .temperature = "divides, by loss"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// TripletMarginLoss: of Euclidean distances, the mean over all triplets of the batch that cost anything,
/// with triplet_counts as row weights. After TripletMarginMiner("all") of a margin that is no smaller it is
/// the same.
[[nodiscard]] constexpr triplet triplet_margin(double margin = 0.05) {
  return {.margin = margin,
          .mine = mining::all,
          .average = triplet_average::active,
          .distance = rankloss::distance::euclidean,
          .over = directions::rows};
}
/// TripletMarginLoss(smooth_loss=True).
[[nodiscard]] constexpr triplet smooth_triplet_margin(double margin = 0.05) {
  triplet loss = triplet_margin(margin);
  loss.form = triplet_form::soft;
  return loss;
}
/// TripletMarginLoss after BatchHardMiner. Equally hard items share the slope; there the first one has it.
[[nodiscard]] constexpr triplet batch_hard(double margin = 0.05) {
  triplet loss = triplet_margin(margin);
  loss.mine = mining::hardest;
  loss.positives = mined_positives::hardest;
  return loss;
}
/// TripletMarginLoss after BatchEasyHardMiner, whose defaults these are: the easiest positive of a query, and
/// the hardest of the negatives that are farther than it.
[[nodiscard]] constexpr triplet easy_positive_semi_hard(double margin = 0.05) {
  triplet loss = triplet_margin(margin);
  loss.mine = mining::semi_hard;
  loss.positives = mined_positives::easiest;
  return loss;
}
/// TripletMarginLoss after TripletMarginMiner("semihard") of the same margin.
[[nodiscard]] constexpr triplet semi_hard(double margin = 0.2) {
  triplet loss = triplet_margin(margin);
  loss.mine = mining::all_semi_hard;
  return loss;
}
/// TripletMarginLoss after DistanceWeightedMiner, in its expectation over what the miner draws, query by
/// query: the miner draws as many triplets for a query as its class has items, and the mean over those that
/// cost anything is then over the draw.
[[nodiscard]] constexpr triplet distance_weighted(std::size_t dimension, double margin = 0.05) {
  triplet loss = triplet_margin(margin);
  loss.mine = mining::distance_weighted;
  loss.dimension = dimension;
  return loss;
}

/// FastAPLoss, with `fast_ap_reduction`: the mean over the queries that have a positive.
[[nodiscard]] constexpr rankloss::fast_ap fast_ap(std::size_t num_bins = 10) {
  return {.bins = num_bins, .over = directions::rows};
}
inline constexpr rankloss::reduction fast_ap_reduction = rankloss::reduction::mean_of_relevant;

/// MultiSimilarityLoss, as the mean over all queries.
[[nodiscard]] constexpr rankloss::multi_similarity multi_similarity(double alpha = 2.0, double beta = 50.0,
                                                                    double base = 0.5) {
  return {.alpha = alpha, .beta = beta, .base = base, .over = directions::rows};
}
/// MultiSimilarityLoss after MultiSimilarityMiner.
[[nodiscard]] constexpr rankloss::multi_similarity mined_multi_similarity(double epsilon = 0.1) {
  return {.epsilon = epsilon, .over = directions::rows};
}

/// CircleLoss, with `circle_reduction`: its mean is over the queries whose loss is above 0, which without a
/// positive it is not. There queries without negatives are left out, too.
[[nodiscard]] constexpr rankloss::circle circle(double m = 0.4, double gamma = 80.0) {
  return {.margin = m, .gamma = gamma, .weights = circle_weights::constant, .over = directions::rows};
}
inline constexpr rankloss::reduction circle_reduction = rankloss::reduction::mean_of_relevant;

/// NCALoss, with `nca_reduction`: its mean is over the queries whose probability does not round to 0.
[[nodiscard]] constexpr rankloss::nca nca(double softmax_scale = 1.0) {
  return {.scale = softmax_scale, .over = directions::rows};
}
inline constexpr rankloss::reduction nca_reduction = rankloss::reduction::mean_of_relevant;

/// ContrastiveLoss is the sum of these two, each with its own pair_counts as row weights: the mean over all
/// positive pairs of the batch that cost anything, and the same over the negative pairs.
[[nodiscard]] constexpr rankloss::contrastive contrastive_positives(double pos_margin = 0.0) {
  return {.positive_margin = pos_margin,
          .negative_margin = -1e100,
          .average = contrastive_average::active,
          .over = directions::rows};
}
[[nodiscard]] constexpr rankloss::contrastive contrastive_negatives(double neg_margin = 1.0) {
  return {.positive_margin = 1e100,
          .negative_margin = neg_margin,
          .average = contrastive_average::active,
          .over = directions::rows};
}

/// What the mean of a query is over: the number of its triplets, or of its pairs that cost anything.
template <class Loss>
struct counted {
  Loss loss;

  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    if constexpr (std::same_as<Loss, triplet>) {
      return engine<Loss, context>::divisor(loss, items, scratch);
    } else {
      double count = 0.0;
      for (std::size_t i = 0; i < items.size(); ++i) {
        const double d = distance_of(static_cast<double>(detail::bounded(items.scores[i])), loss.distance);
        const bool costs = items.relevance[i] > R{0} ? d > loss.positive_margin : d < loss.negative_margin;
        count += costs ? 1.0 : 0.0;
      }
      return count;
    }
  }
  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
  template <score T, class R>
  double run(const similarity_batch<T, R>& batch, const outputs& out, context& ctx, double factor) const {
    return detail::run_directions(*this, batch, directions::rows, detail::list_relevance::matches, out, ctx,
                                  factor);
  }
};

template <class Loss, class T, class R>
[[nodiscard]] std::vector<double> counts_of_rows(const Loss& loss, const similarity_batch<T, R>& batch) {
  validate(loss);
  const similarity_batch<T, R> known = detail::with_shape(batch);
  std::vector<double> counts(known.rows + known.columns);
  evaluate(counted<Loss>{loss}, batch, {.per_list = counts});
  counts.resize(known.rows);
  return counts;
}

/// What the mean of each row is over, by the average of the loss. As row_weights under reduction::mean these
/// make it a mean over all triplets of the batch. Time as the loss.
/// @throws std::invalid_argument as `evaluate` does
template <class T, class R>
[[nodiscard]] std::vector<double> triplet_counts(const triplet& loss, const similarity_batch<T, R>& batch) {
  return counts_of_rows(loss, batch);
}
/// The same for the positive or the negative pairs of a contrastive loss.
template <class T, class R>
[[nodiscard]] std::vector<double> pair_counts(const rankloss::contrastive& loss,
                                              const similarity_batch<T, R>& batch) {
  return counts_of_rows(loss, batch);
}

}  // namespace pytorch_metric_learning

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
