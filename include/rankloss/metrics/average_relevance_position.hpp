// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// average_relevance_position: the mean rank of the items, weighted by their relevance. Lower is better.
///
///     ARP = sum_i w_i y_i rank_i / sum_i w_i y_i
///
/// Zhu et al.: Recall, precision and average precision, 2004; as in TF-Ranking. Items of equal score are in
/// random order; the value is the expectation over it.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Edge cases: a list without relevant items has value 0, although lower is better, and is left out by
///   reduction::mean_of_relevant. Infinite scores rank first or last. Relevance and weights may have any
///   size; they are scaled and never overflow.
/// @throws std::invalid_argument from `evaluate` when a relevance is below 0.
struct average_relevance_position {
  static constexpr bool has_gradient = false;
  static constexpr bool lower_is_better = true;

  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// The value from the first positions by score.
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weighted_relevance = scratch.take<double>(items.size());
    const double total = weigh(items, weighted_relevance);
    if (!(total > 0.0)) return 0.0;
    double sum = 0.0;
    first.for_each_run(items.size(), [&](const detail::score_run<T>& run) {
      double mass = 0.0;
      for (const auto& item : run.items) mass += weighted_relevance[item.payload];
      sum += mass * 0.5 * static_cast<double>(run.begin + 1 + run.end);
    });
    return sum / total;
  }

  /// As a function of real ranks: the same formula.
  ///
  ///     by_rank[i] = d(ARP) / d(rank_i) = w_i y_i / sum_j w_j y_j    [n] or empty: not wanted
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weighted_relevance = scratch.take<double>(items.size());
    const double total = weigh(items, weighted_relevance);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    if (!(total > 0.0)) return 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      sum += weighted_relevance[i] * ranks[i];
      if (!by_rank.empty()) by_rank[i] = weighted_relevance[i] / total;
    }
    return sum / total;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  /// Writes w y up to a common factor; returns the sum.
  template <class T, class R>
  static double weigh(const list<T, R>& items, std::span<double> weighted_relevance) {
    detail::weighted_gains(items, gain::linear, {}, true, weighted_relevance);
    double total = 0.0;
    for (const double mass : weighted_relevance) total += mass;
    return total;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
