// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/sorting/first_of_order.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// r_precision: the precision of the first R ranks, where R is the number of relevant items; there
/// precision and recall are equal.
///
///     R-precision = sum_{i relevant, rank_i <= R} w_i / sum_{i relevant} w_i
///
/// R includes missed items. Items of relevance > 0 and weight > 0 are relevant. Items of equal score are in
/// random order; the value is the expectation over it. This is trec_eval's Rprec.
///
/// - Time O(n), scratch O(n). No gradient by scores.
/// - Between 0 and 1. Weights may have any size; they are scaled and never overflow.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct r_precision {
  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// How many of the first positions by score the value depends on, and the value from them.
  template <class T, class R>
  [[nodiscard]] std::size_t positions_read(const list<T, R>& items) const noexcept {
    return std::min(detail::relevant_count(items), items.size());
  }
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    detail::relevant_weights(items, true, weights);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (!(total > 0.0) || items.size() == 0) return 0.0;
    const std::size_t k = positions_read(items);
    return detail::expected_sum_of_first(items.scores, weights, k, first) / total;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
