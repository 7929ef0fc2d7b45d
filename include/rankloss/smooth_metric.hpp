// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_metric: a ranking metric, computed with soft ranks instead of hard ones, as a loss.
///
///     loss           = best - metric(ranks(s), y)     best: 1, or 0 for DCG; metric itself if less is better
///     d(loss)/d(s_m) = - sum_i d(metric)/d(rank_i) d(rank_i)/d(s_m)
///
///     const rankloss::smooth_metric<rankloss::metrics::ndcg, rankloss::projected_ranks> loss{
///         .metric = {.cutoff = 10}, .ranks = {.temperature = 0.5}};
///
/// Metric is one of ndcg, dcg, average_precision, reciprocal_rank, expected_reciprocal_rank,
/// rank_biased_precision, average_relevance_position, precision or recall of `metrics`. Ranks is
/// sigmoid_ranks, laplace_ranks or projected_ranks. Qin, Liu, Li: A general approximation framework for
/// direct optimization of information retrieval measures, Information Retrieval 13 (2010); Jagerman et al.:
/// Rax, KDD 2022.
///
/// - Time and scratch are those of the ranks, and O(n) for the metric; twice that for average_precision,
///   which also ranks the relevant items among themselves.
/// - As the temperature of the ranks -> 0 the loss tends to that of the exact metric, if no scores are equal.
/// - Items of equal score have equal ranks, and equal gradients if they are also alike in relevance and
///   weight: items that share the least rank of reciprocal_rank share its slope, and among equal ranks of
///   expected_reciprocal_rank each item comes before the others in half of all orders. For the kinks of
///   projected_ranks and of the cut see their headers.
/// - With a cutoff k an item counts by a factor that is 1 up to soft rank k, 0 from k + 1 on, and a cubic
///   between.
/// - Edge cases: a list without relevance has loss 0 and gradient 0. Infinite scores rank first or last.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, when direction or base
/// of the ranks is not the default, or when the metric does not accept a relevance.
template <class Metric, class Ranks = sigmoid_ranks>
struct smooth_metric {
  Metric metric{};
  Ranks ranks{};

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("metric", self.metric, options::inner{});
    visit("ranks", self.ranks, options::inner{});
  }
  void validate() const {
    detail::require(ranks.direction == sort_direction::descending,
                    "ranks: ascending, expected descending: a metric counts from the best score down");
    detail::require(ranks.base == 1.0, "ranks: base ", ranks.base, ", expected 1: a metric counts from 1");
  }

  /// The metric, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(metric, visit);
  }

  /// Whether the list counts in reduction::mean_of_relevant, by the rule of the metric.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return metric.has_relevance(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/smooth_metric.hpp>
#endif
