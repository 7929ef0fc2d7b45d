// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/item_gains.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/gains/tied_dcg.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// dcg: discounted cumulative gain of the first k.
///
///     DCG@k = sum_{i: rank_i <= k} w_i G(y_i) / log2(1 + rank_i)
///
/// Jarvelin, Kekalainen: Cumulated gain-based evaluation of IR techniques, TOIS 20 (2002), with the discount
/// of Burges et al. 2005. Items of equal score are in random order; the value is the expectation over it:
/// McSherry, Najork: Computing information retrieval performance measures efficiently in the presence of tied
/// scores, ECIR 2008.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Edge cases: a list without gain has value 0 and is left out by reduction::mean_of_relevant. Infinite
///   scores rank first or last. Exponential gains of grades beyond 1023 are infinite. Other products and sums
///   beyond the largest double are set to it; for functions of ranks this includes infinite gains.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct dcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 0.0;  ///< a loss is -DCG: without its ideal, the largest value is not known

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

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
    const detail::item_gains<T, R> gains(items, gain, gain_table, cutoff, false, scratch);
    return gains.visit([&](const auto& gain_of) { return detail::expected_dcg<false>(first, k, gain_of); });
  }

  /// As a function of real ranks >= 1:
  ///
  ///     DCG@k      = sum_i w_i G(y_i) cut(rank_i) / log2(1 + rank_i)
  ///     by_rank[i] = d(DCG@k) / d(rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, false, gains);
    return detail::dcg_of_ranks(ranks, gains, cutoff, 1.0, by_rank);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::any_gain(items, gain, gain_table);
  }
};

/// ndcg: normalised discounted cumulative gain of the first k.
///
///     NDCG@k = DCG@k / ideal DCG@k,  between 0 and 1
///
/// Like dcg; items of equal score are in random order, and the value is the expectation over it. As the
/// temperature of sndcg goes to 0 its loss tends to 1 - ndcg, except for lists without relevance.
///
/// - Time O(n) after two radix sorts; scratch O(n). No gradient by scores.
/// - Edge cases: a list without positive ideal DCG (empty, or without a relevant item) has value 0, neither 1
///   nor NaN, and is left out by reduction::mean_of_relevant. Infinite scores rank first or last. Gains may
///   have any size; they are scaled and never overflow.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct ndcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                ///< k; 0: the whole list
  rankloss::ideal ideal = rankloss::ideal::sorted;  ///< how the ideal DCG is computed

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("ideal", self.ideal, options::choice<rankloss::ideal>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

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
    const detail::item_gains<T, R> gains(items, gain, gain_table, cutoff, true, scratch);
    const double most = gains.ideal_dcg(ideal, scratch);
    if (!(most > 0.0)) return 0.0;
    return gains.visit([&](const auto& gain_of) { return detail::expected_dcg<true>(first, k, gain_of); }) /
           most;
  }

  /// As a function of real ranks >= 1: that of dcg divided by the ideal DCG.
  ///
  ///     by_rank[i] = d(NDCG@k) / d(rank_i)    [n] or empty: not wanted
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, true, gains);
    const double most = detail::ideal_dcg<detail::single_discounts, double>(ideal, cutoff, gains, scratch);
    if (most > 0.0) return detail::dcg_of_ranks(ranks, gains, cutoff, most, by_rank);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    return 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
