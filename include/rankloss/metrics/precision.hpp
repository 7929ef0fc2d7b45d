// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/detail/sorting/first_of_order.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// The divisor of the number of relevant items among the first k, for lists shorter than k.
enum class precision_over {
  cutoff,     ///< k, as in trec_eval: missing ranks count as not relevant
  retrieved,  ///< min(k, n), as in Rax and TF-Ranking
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(precision_over) noexcept {
  return {"cutoff", "retrieved"};
}

/// precision: the share of the first k ranks that have a relevant item.
///
///     precision@k = sum_{i relevant, rank_i <= k} w_i / k
///
/// Items of relevance > 0 and weight > 0 are relevant. Items of equal score are in random order; the value is
/// the expectation over it.
///
/// - Time O(n), scratch O(n). No gradient by scores.
/// - Between 0 and 1, unless weights are above 1.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct precision {
  std::size_t cutoff = 0;                        ///< k; 0: the whole list
  precision_over over = precision_over::cutoff;  ///< the divisor

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
    visit("over", self.over, options::choice<precision_over>{});
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
    detail::relevant_weights(items, false, weights);
    const std::size_t k = detail::counted_by(cutoff, items.size());
    if (items.size() == 0) return 0.0;
    return detail::expected_sum_of_first(items.scores, weights, k, first) / denominator(items.size());
  }

  /// As a function of real ranks >= 1:
  ///
  ///     precision@k = sum_{i relevant} w_i cut(rank_i) / k
  ///     by_rank[i]  = d(precision@k) / d(rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    detail::relevant_weights(items, false, weights);
    return items.size() > 0
               ? detail::sum_of_cut(ranks, weights, cutoff, 1.0 / denominator(items.size()), by_rank)
               : 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  [[nodiscard]] double denominator(std::size_t n) const noexcept {
    const bool shortened = cutoff == 0 || (over == precision_over::retrieved && n < cutoff);
    return static_cast<double>(shortened ? n : cutoff);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
