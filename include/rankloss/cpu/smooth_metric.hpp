// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Computes the ranks of the scores, the metric as a function of the ranks, and the gradient by the ranks'
/// pullback.
template <class Metric, class Ranks>
struct smooth_metric_engine {
  template <class T, class R>
  static double run(const smooth_metric<Metric, Ranks>& loss, const list<T, R>& items,
                    const list_outputs<T>& out, workspace& scratch) {
    const std::size_t n = items.size();
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    if (!loss.metric.has_relevance(items)) return 0.0;
    const workspace::scope scope(scratch);
    const std::span<double> by_rank = scratch.take<double>(out.gradient.size());
    const auto soft = loss.ranks(items.scores, scratch);
    double value = 0.0;
    if constexpr (requires { requires Metric::needs_relevant_ranks; }) {
      // The relevant items are ranked as a list of their own.
      const std::span<std::size_t> which = scratch.take<std::size_t>(n);
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (relevant(items, i)) which[count++] = i;
      const std::span<T> scores = scratch.take<T>(count);
      for (std::size_t r = 0; r < count; ++r) scores[r] = items.scores[which[r]];
      const auto among = loss.ranks(strided<const T>(scores.data(), count), scratch);
      const std::span<double> relevant_ranks = scratch.take<double>(n);
      std::fill(relevant_ranks.begin(), relevant_ranks.end(), 1.0);
      for (std::size_t r = 0; r < count; ++r) relevant_ranks[which[r]] = among.values()[r];
      const std::span<double> by_relevant_rank = scratch.take<double>(by_rank.size());
      value = loss.metric.of_ranks(soft.values(), relevant_ranks, items, by_rank, by_relevant_rank, scratch);
      if (!by_rank.empty()) {
        const std::span<double> cotangent = scratch.take<double>(count);
        const std::span<double> gradient = scratch.take<double>(count);
        for (std::size_t r = 0; r < count; ++r) cotangent[r] = by_relevant_rank[which[r]];
        among.pullback(cotangent, gradient);
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(by_rank, all);
        for (std::size_t r = 0; r < count; ++r) all[which[r]] += gradient[r];
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = held_as<T>(sign * all[i]);
      }
    } else {
      value = loss.metric.of_ranks(ranks_of(soft.values(), items.scores, scratch), items, by_rank, scratch);
      if (!by_rank.empty()) {
        // The derivatives of a metric that is multiplied by weights or gains may have any magnitude.
        const product_input in(std::span<const double>(by_rank), scratch);
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(in.numbers(), all);
        in.out_of_units(all);
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = held_as<T>(sign * all[i]);
      }
    }
    if constexpr (less_is_better)
      return value;
    else
      return held_as<double>(Metric::best - value);
  }

 private:
  /// The ranks. Those of equal scores have the same bits if the metric asks which of two ranks comes first.
  template <class T>
  [[nodiscard]] static std::span<const double> ranks_of(std::span<const double> values,
                                                        const strided<const T>& scores, workspace& scratch) {
    if constexpr (requires { requires Metric::compares_ranks; }) {
      const std::span<double> united = scratch.take<double>(values.size());
      const workspace::scope sorting(scratch);
      const sorted_list<T> sorted = sort_list<T>(scores, scratch);
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

}  // namespace detail

template <class Metric, class Ranks>
struct engine<smooth_metric<Metric, Ranks>, context> : detail::smooth_metric_engine<Metric, Ranks> {};

}  // namespace rankloss::inline RANKLOSS_ABI
