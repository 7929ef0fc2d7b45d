// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/detail/gains/rank_cut.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/score_runs.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// What a relevance is worth, divided by 2^shift. Below 0, which data checks refuse, it counts as 0 where it comes unchecked.
[[nodiscard]] inline double gain_of(gain kind, std::span<const double> table, double y, double shift) {
  if (kind == gain::table) return worth_in(table, y);
  y = std::max(y, 0.0);
  if (kind == gain::linear) return y * std::exp2(-shift);
  // Below 1/2 the difference would lose digits.
  if (y < 0.5) return std::expm1(y * std::numbers::ln2) * std::exp2(-shift);
  return std::exp2(y - shift) - std::exp2(-shift);
}

/// Gains of a list, missed items too, times its item weights. Where `scaled`, both are brought to the order of 1 by powers of two, which keep the
/// digits, so that no sum overflows: a quotient of two DCGs does not notice.
template <class T, class R>
void weighted_gains(const list<T, R>& items, gain kind, std::span<const double> table, bool scaled, std::span<double> gains) {
  double shift = 0.0;
  double unit = 1.0;
  int weight_shift = 0;
  if (scaled) {
    double largest = 0.0;
    for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
      const auto y = static_cast<double>(items.relevance[i]);
      largest = std::max(largest, kind == gain::table ? gain_of(kind, table, y, 0.0) : y);
    }
    if (kind == gain::table) unit = gain_unit(largest);
    if (kind == gain::exponential && largest > 0.0 && largest < 1e-30) kind = gain::linear;  // 2^y - 1 is in proportion to y
    if (kind == gain::linear && largest > 0.0) shift = std::clamp(std::ilogb(largest), -1000, 1000);
    if (kind == gain::exponential && largest > 500.0) shift = largest;
    double heaviest = 0.0;
    for (std::size_t i = 0; i < items.weights.size(); ++i) heaviest = std::max(heaviest, items.weights[i]);
    if (heaviest > 0.0) weight_shift = std::ilogb(heaviest);
  }
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    gains[i] = gain_of(kind, table, static_cast<double>(items.relevance[i]), shift) * unit;
    if (items.weights.empty()) continue;
    const double product = items.weights[i] > 0.0 ? gains[i] * std::ldexp(items.weights[i], -weight_shift) : 0.0;
    gains[i] = is_finite(opaque(gains[i])) ? held_as<double>(product) : product;
  }
}

[[nodiscard]] inline double discount_at(std::size_t rank) noexcept { return 1.0 / std::log2(1.0 + static_cast<double>(rank)); }

/// Expected DCG of the first k over the random order of equal scores: each of a run of them takes each of its positions equally often, so
/// a run is worth its mean gain at the sum of its discounts.
template <class T>
[[nodiscard]] double expected_dcg(const strided<const T>& scores, std::span<const double> gains, std::size_t k, workspace& scratch) {
  double sum = 0.0;
  for_each_run(scores, k, scratch, [&](const score_run<T>& run) {
    double gain = 0.0;
    for (const auto& item : run.items) gain = held_sum(gain, gains[item.payload]);
    double discount = 0.0;
    for (std::size_t p = run.begin; p < std::min(run.end, k); ++p) discount += discount_at(p + 1);
    const auto size = static_cast<double>(run.items.size());
    const double worth = gain * discount / size;
    sum = held_sum(sum, is_finite(opaque(gain)) && !is_finite(opaque(worth)) ? gain * (discount / size) : worth);
  });
  return sum;
}

/// sum_i gains_i cut(rank_i) / log2(1 + rank_i) / best, and its derivatives by the ranks unless by_rank is empty.
[[nodiscard]] inline double dcg_of_ranks(std::span<const double> ranks, std::span<const double> gains, std::size_t cutoff, double best,
                                         std::span<double> by_rank) noexcept {
  double sum = 0.0;
  std::fill(by_rank.begin(), by_rank.end(), 0.0);
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const rank_cut cut(ranks[i], cutoff);
    const double logarithm = std::log2(1.0 + ranks[i]);
    const double discounted = held_as<double>(gains[i] / (logarithm * best));
    sum += discounted * cut.value;
    if (!by_rank.empty()) by_rank[i] = held_as<double>(discounted * (cut.slope - cut.value / (logarithm * std::numbers::ln2 * (1.0 + ranks[i]))));
  }
  return held_as<double>(sum);
}

/// The best DCG of the first k that gains allow.
[[nodiscard]] inline double ideal_dcg(ideal kind, std::span<const double> gains, std::size_t k, workspace& scratch) {
  using record = keyed<std::uint64_t, nothing>;
  const std::size_t n = gains.size();
  if (n == 0) return 0.0;
  const workspace::scope scope(scratch);
  std::span<record> records = scratch.take<record>(n);
  for (std::size_t i = 0; i < n; ++i) records[i].key = descending_key(gains[i]);
  records = sort_by_key(records, scratch.take<record>(n), scratch);

  double sum = 0.0;
  std::size_t rank = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (kind == ideal::sorted || i == 0 || records[i].key != records[i - 1].key) rank = i + 1;
    if (rank > k) break;
    sum += value_of<double>(records[i].key) * discount_at(rank);
  }
  return sum;
}

}  // namespace detail

namespace metrics {

/// dcg: discounted cumulative gain of the first k.
///
///     DCG@k = sum_{i: rank_i <= k} w_i G(y_i) / log2(1 + rank_i)
///
/// Jarvelin, Kekalainen: Cumulated gain-based evaluation of IR techniques, TOIS 20 (2002), with the discount of Burges et al. 2005. Items of
/// equal score are in random order; the value is the expectation over it: McSherry, Najork: Computing information retrieval performance
/// measures efficiently in the presence of tied scores, ECIR 2008.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Edge cases: a list without gain has value 0 and is left out by reduction::mean_of_relevant. Infinite scores rank first or last.
///   Exponential gains of grades beyond 1023 are infinite; other products and sums beyond the largest double count as that, and as functions of
///   ranks infinite gains too.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below 0, unless by gain::table.
struct dcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< what a grade is worth
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                             ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 0.0;  ///< a loss is the DCG's negative: what a list allows is not known without its ideal

  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, false, gains);
    return detail::expected_dcg(items.scores, gains, detail::cut_at(cutoff, items.size()), scratch);
  }

  /// As a function of real ranks >= 1:
  ///
  ///     DCG@k      = sum_i w_i G(y_i) cut(rank_i) / log2(1 + rank_i)
  ///     by_rank[i] = d(DCG@k) / d(rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1, a cubic between. At whole, distinct ranks it is the metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank, workspace& scratch) const {
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
/// As dcg; items of equal score are in random order, and the value is the expectation over it. 1 - ndcg is what sndcg tends to as its
/// temperature goes to 0, but for lists without relevance.
///
/// - Time O(n) after two radix sorts; scratch O(n). No gradient by scores.
/// - Edge cases: a list without positive ideal DCG (empty, or nothing relevant) has value 0, not 1 and not NaN, and is left out by
///   reduction::mean_of_relevant. Infinite scores rank first or last. Gains of any size: they are scaled, never overflow.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below 0, unless by gain::table.
struct ndcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< what a grade is worth
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                             ///< k; 0: the whole list
  rankloss::ideal ideal = rankloss::ideal::sorted;    ///< how the ideal DCG is counted

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, true, gains);
    const double most = detail::ideal_dcg(ideal, gains, detail::cut_at(cutoff, gains.size()), scratch);
    return most > 0.0 ? detail::expected_dcg(items.scores, gains, detail::cut_at(cutoff, items.size()), scratch) / most : 0.0;
  }

  /// As a function of real ranks >= 1: dcg's over the ideal DCG.
  ///
  ///     by_rank[i] = d(NDCG@k) / d(rank_i)    [n] or empty: not wanted
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, true, gains);
    const double most = detail::ideal_dcg(ideal, gains, detail::cut_at(cutoff, gains.size()), scratch);
    if (most > 0.0) return detail::dcg_of_ranks(ranks, gains, cutoff, most, by_rank);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    return 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace metrics
}  // namespace rankloss::inline RANKLOSS_ABI
