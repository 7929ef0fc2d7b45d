// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/best_match.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/detail/sorting/first_of_order.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <numeric>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// recall: the share of the relevant items that are among the first k.
///
///     recall@k = sum_{i: rank_i <= k} w_i [y_i > 0] / sum_i w_i [y_i > 0]
///
/// Items of equal score are in random order; the value is the expectation over it.
///
/// - Time O(n), scratch O(n). No gradient.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct recall {
  std::size_t cutoff = 0;  ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// The value from the first positions by score.
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    const double total = weigh(items, weights);
    if (!(total > 0.0)) return 0.0;
    const std::size_t k = detail::counted_by(cutoff, items.size());
    // The sum over all items, in the order in which the total is summed, so that the value is exactly 1 if no
    // item is missed.
    const double found =
        k < items.size()
            ? detail::expected_sum_of_first(items.scores, weights, k, first)
            : std::accumulate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(k), 0.0);
    return found / total;
  }

  /// As a function of real ranks >= 1:
  ///
  ///     recall@k   = sum_{i relevant} w_i cut(rank_i) / sum_{i relevant} w_i
  ///     by_rank[i] = d(recall@k) / d(rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    const double total = weigh(items, weights);
    return detail::sum_of_cut(ranks, weights, cutoff, total > 0.0 ? 1.0 / total : 0.0, by_rank);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  /// Writes the weights of the relevant items up to a common factor; returns their sum.
  template <class T, class R>
  static double weigh(const list<T, R>& items, std::span<double> weights) {
    detail::relevant_weights(items, true, weights);
    double total = 0.0;
    for (const double w : weights) total += w;
    return total;
  }
};

/// hit: whether any relevant item is among the first k. This is the Recall@k of retrieval, where a query may
/// have several matches.
///
///     hit@k = [min {rank_i : y_i > 0} <= k]
///
/// Items of equal score are in random order; the value is the probability of a hit.
///
/// - Time O(n + k), no scratch. No gradient. An item of weight 0 is not relevant; other weights have no
///   effect.
/// - Edge cases: as recall.
struct hit {
  std::size_t cutoff = 0;  ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const noexcept {
    return detail::find_best_match(items).within(cutoff == 0 ? items.size() : cutoff);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

/// first_rank: the rank of the first relevant item, counted from 1.
///
///     first_rank = min {rank_i : y_i > 0}
///
/// Items of equal score are in random order; the value is the expectation over it.
///
/// - Time O(n), no scratch. No gradient. An item of weight 0 is not relevant; other weights have no effect.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
struct first_rank {
  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const noexcept {
    const detail::best_match found = detail::find_best_match(items);
    return found.matching > 0 ? found.rank() : 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
