// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/triplet.hpp>

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

/// The number of triplets of a query that its mean is over.
struct counted_triplets {
  triplet loss;

  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::triplet_engine::divisor(loss, items, scratch);
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

/// What the mean of each row is over, by the average of the loss. As row_weights under reduction::mean these
/// make it a mean over all triplets of the batch. Time as the loss.
/// @throws std::invalid_argument as `evaluate` does
template <class T, class R>
[[nodiscard]] std::vector<double> triplet_counts(const triplet& loss, const similarity_batch<T, R>& batch) {
  validate(loss);
  const similarity_batch<T, R> known = detail::with_shape(batch);
  std::vector<double> counts(known.rows + known.columns);
  evaluate(counted_triplets{loss}, batch, {.per_list = counts});
  counts.resize(known.rows);
  return counts;
}

}  // namespace pytorch_metric_learning

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
