// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/detail/gains/tied_stops.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/detail/sorting/score_runs.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// expected_reciprocal_rank: the expectation of 1 / rank at which a user stops. The user reads from the
/// top and is satisfied by each item with a probability that rises with its grade.
///
///     p_i   = (2^y_i - 1) / 2^y_max
///     ERR@k = sum_{r = 1..k} 1 / r p_(r) prod_{j < r} (1 - p_(j)),  with (r) the item at rank r
///
/// Chapelle, Metzler, Zhang, Grinspan: Expected reciprocal rank for graded relevance, CIKM 2009. Items of
/// equal score are in random order; the value is the expectation over it. Of m items of equal score, r of
/// them relevant, the (t + 1)-th stops a user who reaches the first of them with probability
///
///     sum_s h_t(s) (r - s) / (m - t) (D_{s+1} - D_s)
///     h_t(s) = probability that s of the first t are relevant
///     D_s    = mean over all sets of s relevant ones of 1 - prod (1 - p_i)
///
/// where h of t + 1 follows from h of t, and D for one more item from D, by weighted means, so that nothing
/// cancels.
///
/// - Time O(n) after a radix sort, and for each run O((r + min(m, k, 42 / mean p)) min(r, k, 42 / mean p of
///   the relevant)): what less than 2^-60 of the users reach is left out. That is O(n) for a constant model
///   with grades of the order of y_max, O(m r) at worst. Scratch O(n). No gradient by scores.
/// - An item of weight 0 is not relevant: p = 0. Other weights say nothing here.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
/// @throws std::invalid_argument from `evaluate` when max_grade is out of its range or a relevance is below
/// 0.
struct expected_reciprocal_rank {
  std::size_t cutoff = 0;  ///< k; 0: the whole list
  double max_grade = 0.0;  ///< y_max, 0 to 1e300; larger grades count as it; 0: the largest grade of the list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;
  static constexpr bool compares_ranks = true;  ///< of_ranks: whether two ranks are equal

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
    visit("max_grade", self.max_grade, options::real{.least = 0.0, .most = 1e300});
  }
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
    const std::size_t k = detail::counted_by(cutoff, items.size());
    const std::span<double> stops = scratch.take<double>(items.size_with_missed());
    if (!stopping(items, stops)) return 0.0;
    double sum = 0.0;
    double reached = 1.0;
    const std::span<double> relevant = scratch.take<double>(items.size());
    first.for_each_run(k, [&](const detail::score_run<T>& run) {
      std::size_t r = 0;
      for (const auto& item : run.items)
        if (stops[item.payload] > 0.0) relevant[r++] = stops[item.payload];
      if (r == 0) return;
      sum += reached * detail::stops_in_run(run.begin, run.items.size(), std::min(run.end, k),
                                            relevant.first(r), scratch);
      for (const double p : relevant.first(r)) reached *= 1.0 - p;
    });
    return sum;
  }

  /// As a function of real ranks >= 1. Of items with equal ranks each comes before the others in half of all
  /// orders:
  ///
  ///     ERR@k      = sum_i p_i cut(rank_i) / rank_i
  ///                  prod_{j before i} (1 - p_j) prod_{j tied with i} (1 - p_j / 2)
  ///     by_rank[i] = its derivative by the rank_i in cut(rank_i) / rank_i          [n] or empty: not wanted
  ///
  /// "Before" is by rank. cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. The order of the items
  /// is taken as constant, so the function jumps where two ranks pass each other. At whole, distinct ranks
  /// this is the metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t n = items.size();
    const std::span<double> stops = scratch.take<double>(n);
    const std::span<double> from_last = scratch.take<double>(n);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    if (!stopping(items, stops)) return 0.0;
    for (std::size_t i = 0; i < n; ++i) from_last[i] = -ranks[i];
    double sum = 0.0;
    double reached = 1.0;
    detail::for_each_run(strided<const double>(from_last.data(), n), n, scratch,
                         [&](const detail::score_run<double>& run) {
                           // The product over the others of a run is that over the whole run divided by the factor of the item
                           // itself, which is at least 1/2.
                           double tied = 1.0;
                           for (const auto& item : run.items) tied *= 1.0 - stops[item.payload] / 2.0;
                           for (const auto& item : run.items) {
                             const std::size_t i = item.payload;
                             const detail::rank_term term = detail::reciprocal_term(
                                 ranks[i], reached * stops[i] * (tied / (1.0 - stops[i] / 2.0)), cutoff);
                             sum += term.value;
                             if (!by_rank.empty()) by_rank[i] = term.slope;
                           }
                           for (const auto& item : run.items) reached *= 1.0 - stops[item.payload];
                         });
    return sum;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  /// Writes p; returns whether any p is above 0.
  template <class T, class R>
  bool stopping(const list<T, R>& items, std::span<double> p) const {
    double greatest = 0.0;
    for (std::size_t i = 0; i < items.size_with_missed(); ++i)
      if (detail::relevant(items, i)) greatest = std::max(greatest, static_cast<double>(items.relevance[i]));
    const double most = max_grade > 0.0 ? max_grade : greatest;
    for (std::size_t i = 0; i < items.size_with_missed(); ++i)
      p[i] = detail::relevant(items, i)
                 ? detail::gain_of(gain::exponential, {},
                                   std::min(static_cast<double>(items.relevance[i]), most), most)
                 : 0.0;
    return greatest > 0.0;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
