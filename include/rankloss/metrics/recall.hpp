// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/rank_cut.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Whether item i is relevant.
template <class T, class R>
[[nodiscard]] bool relevant(const list<T, R>& items, std::size_t i) noexcept {
  return items.relevance[i] > R{0} && (items.weights.empty() || items.weights[i] > 0.0);
}

/// The position of the best match of a query when equal scores are put in random order.
struct best_match {
  std::size_t above = 0;     // items with a larger score, none of which matches
  std::size_t tied = 0;      // items with the same score, including itself
  std::size_t matching = 0;  // matches among these; 0: there is no match at all

  /// Expected position of the first match.
  [[nodiscard]] double rank() const noexcept {
    return 1.0 + static_cast<double>(above) + static_cast<double>(tied - matching) / static_cast<double>(matching + 1);
  }

  /// Probability of a match among the first k: 1 - C(others, slots) / C(tied, slots), in the form with fewer
  /// factors.
  [[nodiscard]] double within(std::size_t k) const noexcept {
    if (matching == 0 || k <= above) return 0.0;
    const std::size_t slots = std::min(k - above, tied);
    double none = 1.0;
    const std::size_t many = std::max(slots, matching);
    for (std::size_t i = 0; i < std::min(slots, matching) && none > 0.0; ++i)
      none *= static_cast<double>(tied - many - i) / static_cast<double>(tied - i);
    return 1.0 - none;
  }
};

template <class T, class R>
[[nodiscard]] best_match find_best_match(const list<T, R>& items) noexcept {
  best_match found;
  T best{};
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!relevant(items, i)) continue;
    const T s = items.scores[i];
    if (found.matching > 0 && !(s >= best)) continue;
    found.matching = found.matching > 0 && s == best ? found.matching + 1 : 1;
    best = s;
  }
  if (found.matching == 0) return found;
  for (std::size_t i = 0; i < items.size(); ++i) {
    found.above += items.scores[i] > best ? 1u : 0u;
    found.tied += items.scores[i] == best ? 1u : 0u;
  }
  return found;
}

template <class T, class R>
[[nodiscard]] bool any_relevant(const list<T, R>& items) noexcept {
  for (std::size_t i = 0; i < items.size_with_missed(); ++i)
    if (relevant(items, i)) return true;
  return false;
}

/// Weights of the relevant items, including missed ones, and 0 for the others. With `scaled` they are brought
/// near 1 by a power of two, which keeps the digits, so that no sum overflows; a quotient does not change.
template <class T, class R>
void relevant_weights(const list<T, R>& items, bool scaled, std::span<double> out) {
  double heaviest = 0.0;
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    out[i] = !relevant(items, i) ? 0.0 : items.weights.empty() ? 1.0 : items.weights[i];
    heaviest = std::max(heaviest, out[i]);
  }
  if (!scaled || items.weights.empty() || !(heaviest > 0.0)) return;
  const int shift = std::ilogb(heaviest);
  for (double& w : out) w = std::ldexp(w, -shift);
}

/// Expected sum of the values at the first k positions, 1 <= k <= n, over the random order of equal scores.
template <class T>
[[nodiscard]] double expected_sum_of_first(const strided<const T>& scores, std::span<const double> values, std::size_t k, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::span<key_of<T>> keys = scratch.take<key_of<T>>(scores.size());
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = descending_key(scores[i]);
  const auto last = keys.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(keys.begin(), last, keys.end());
  const key_of<T> border = *last;

  std::size_t above = 0;
  std::size_t tied = 0;
  double inside = 0.0;
  double at_border = 0.0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const key_of<T> key = descending_key(scores[i]);
    if (key > border) continue;
    (key < border ? above : tied) += 1;
    (key < border ? inside : at_border) += values[i];
  }
  return held_as<double>(inside + held_as<double>(at_border) * (static_cast<double>(k - above) / static_cast<double>(tied)));
}

/// factor * sum_i values_i cut(rank_i), and its derivatives by the ranks unless by_rank is empty.
[[nodiscard]] inline double sum_of_cut(std::span<const double> ranks, std::span<const double> values, std::size_t cutoff, double factor,
                                       std::span<double> by_rank) noexcept {
  double sum = 0.0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const rank_cut cut(ranks[i], cutoff);
    sum += values[i] * cut.value;
    if (!by_rank.empty()) by_rank[i] = held_as<double>(factor * values[i] * cut.slope);
  }
  return held_as<double>(factor * sum);
}

}  // namespace detail

namespace metrics {

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

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    const double total = weigh(items, weights);
    if (!(total > 0.0)) return 0.0;
    const std::size_t k = detail::cut_at(cutoff, items.size());
    // The sum over all items, in the order in which the total is summed, so that the value is exactly 1 if no
    // item is missed.
    const double found = k < items.size() ? detail::expected_sum_of_first(items.scores, weights, k, scratch)
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
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank, workspace& scratch) const {
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

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const noexcept {
    return detail::find_best_match(items).within(cutoff == 0 ? items.size() : cutoff);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

/// first_rank: the position of the first relevant item, counted from 1.
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

}  // namespace metrics
}  // namespace rankloss::inline RANKLOSS_ABI
