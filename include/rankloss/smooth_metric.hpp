// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_metric: a ranking metric, computed with smooth ranks instead of hard ones, as a loss.
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
/// - With a cutoff k an item counts by a factor that is 1 up to smooth rank k, 0 from k + 1 on, and a cubic
///   between.
/// - Edge cases: a list without relevance has loss 0 and gradient 0. Infinite scores rank first or last.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, when order or base of
/// the ranks is not the default, or when the metric does not accept a relevance.
template <class Metric, class Ranks = sigmoid_ranks>
struct smooth_metric {
  Metric metric{};
  Ranks ranks{};

  void validate() const {
    if constexpr (requires { metric.validate(); }) metric.validate();
    if constexpr (requires { ranks.validate(); }) ranks.validate();
    detail::require(ranks.order == rank_order::descending, "ranks: ascending, expected descending: a metric counts from the best score down");
    detail::require(ranks.base == 1.0, "ranks: base ", ranks.base, ", expected 1: a metric counts from 1");
  }

  /// The metric, so that its own checks of the data are made.
  template <class Visit>
  void for_each_part(const Visit& visit) const {
    detail::for_each_part(metric, visit);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    if (!metric.has_relevance(items)) return 0.0;
    const workspace::scope scope(scratch);
    const std::span<double> by_rank = scratch.take<double>(out.gradient.size());
    const auto soft = ranks(items.scores, scratch);
    double value = 0.0;
    if constexpr (requires { requires Metric::needs_relevant_ranks; }) {
      // The relevant items as a list of their own.
      const std::span<std::size_t> which = scratch.take<std::size_t>(n);
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (detail::relevant(items, i)) which[count++] = i;
      const std::span<T> scores = scratch.take<T>(count);
      for (std::size_t r = 0; r < count; ++r) scores[r] = items.scores[which[r]];
      const auto among = ranks(strided<const T>(scores.data(), count), scratch);
      const std::span<double> relevant_ranks = scratch.take<double>(n);
      std::fill(relevant_ranks.begin(), relevant_ranks.end(), 1.0);
      for (std::size_t r = 0; r < count; ++r) relevant_ranks[which[r]] = among.values()[r];
      const std::span<double> by_relevant_rank = scratch.take<double>(by_rank.size());
      value = metric.of_ranks(soft.values(), relevant_ranks, items, by_rank, by_relevant_rank, scratch);
      if (!by_rank.empty()) {
        const std::span<double> cotangent = scratch.take<double>(count);
        const std::span<double> gradient = scratch.take<double>(count);
        for (std::size_t r = 0; r < count; ++r) cotangent[r] = by_relevant_rank[which[r]];
        among.pullback(cotangent, gradient);
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(by_rank, all);
        for (std::size_t r = 0; r < count; ++r) all[which[r]] += gradient[r];
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = detail::held_as<T>(sign * all[i]);
      }
    } else {
      value = metric.of_ranks(ranks_of(soft.values(), items.scores, scratch), items, by_rank, scratch);
      if (!by_rank.empty()) {
        // The derivatives of a metric that is multiplied by weights or gains may have any size; scaled, no
        // sum of them overflows.
        double largest = 0.0;
        for (const double d : by_rank) largest = std::max(largest, std::abs(d));
        const double unit = largest > 1e200 ? detail::unit_of(largest) : 1.0;
        for (double& d : by_rank) d *= unit;
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(by_rank, all);
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = detail::held_as<T>(sign * all[i] / unit);
      }
    }
    if constexpr (less_is_better)
      return value;
    else
      return detail::held_as<double>(Metric::best - value);
  }

  /// Whether the list counts in reduction::mean_of_relevant, by the rule of the metric.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return metric.has_relevance(items);
  }

 private:
  /// The ranks. Those of equal scores have the same bits if the metric asks which of two ranks comes first.
  template <class T>
  [[nodiscard]] static std::span<const double> ranks_of(std::span<const double> values, const strided<const T>& scores, workspace& scratch) {
    if constexpr (requires { requires Metric::compares_ranks; }) {
      const std::span<double> united = scratch.take<double>(values.size());
      const workspace::scope sorting(scratch);
      const detail::sorted_list<T> sorted = detail::sort_list<T>(scores, scratch);
      double rank = 0.0;
      for (std::size_t p = 0; p < values.size(); ++p) {
        if (p == 0 || sorted.x[p] != sorted.x[p - 1]) rank = values[sorted.order[p]];
        united[sorted.order[p]] = rank;
      }
      return united;
    } else {
      return values;
    }
  }

  static constexpr bool less_is_better = requires { requires Metric::lower_is_better; };
  static constexpr double sign = less_is_better ? 1.0 : -1.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI
