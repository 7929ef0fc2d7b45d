// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/argsort.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss {
namespace detail {

/// Whether item i is one to be found.
template <class T, class R>
[[nodiscard]] bool relevant(const list<T, R>& items, std::size_t i) noexcept {
  return items.relevance[i] > R{0} && (items.weights.empty() || items.weights[i] > 0.0);
}

/// Where the best match of a query stands when equal scores are put in random order.
struct best_match {
  std::size_t above = 0;     // items with a greater score, of which none matches
  std::size_t tied = 0;      // items with its score, itself among them
  std::size_t matching = 0;  // of those, the ones that match; 0: nothing matches at all

  /// Expected position of the first match.
  [[nodiscard]] double rank() const noexcept {
    return 1.0 + static_cast<double>(above) + static_cast<double>(tied - matching) / static_cast<double>(matching + 1);
  }

  /// Probability of a match among the first k: 1 - C(others, slots) / C(tied, slots), in whichever form has fewer factors.
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
    found.above += items.scores[i] > best ? 1 : 0;
    found.tied += items.scores[i] == best ? 1 : 0;
  }
  return found;
}

template <class T, class R>
[[nodiscard]] bool any_relevant(const list<T, R>& items) noexcept {
  for (std::size_t i = 0; i < items.size(); ++i)
    if (relevant(items, i)) return true;
  return false;
}

}  // namespace detail

namespace metrics {

/// recall: the fraction of the relevant items that stand among the first k.
///
///     recall@k = sum_{i: rank_i <= k} w_i [y_i > 0] / sum_i w_i [y_i > 0]
///
/// Items of equal score are in random order; the value is the expectation over it.
///
/// - Time O(n), scratch O(n). No gradient.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant. Infinite scores rank first or last.
struct recall {
  std::size_t cutoff = 0;  ///< k; 0: the whole list

  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    using key = detail::key_of<T>;
    const std::size_t n = items.size();
    const auto weight = [&](std::size_t i) { return !detail::relevant(items, i) ? 0.0 : items.weights.empty() ? 1.0 : items.weights[i]; };
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += weight(i);
    if (!(total > 0.0) || cutoff == 0 || cutoff >= n) return total > 0.0 ? 1.0 : 0.0;

    const workspace::scope scope(scratch);
    const std::span<key> keys = scratch.take<key>(n);
    for (std::size_t i = 0; i < n; ++i) keys[i] = detail::descending_key(items.scores[i]);
    const auto last = keys.begin() + static_cast<std::ptrdiff_t>(cutoff - 1);
    std::nth_element(keys.begin(), last, keys.end());
    const key border = *last;

    std::size_t above = 0;
    std::size_t tied = 0;
    double inside = 0.0;
    double at_border = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const key k = detail::descending_key(items.scores[i]);
      if (k > border) continue;
      (k < border ? above : tied) += 1;
      (k < border ? inside : at_border) += weight(i);
    }
    return (inside + at_border * (static_cast<double>(cutoff - above) / static_cast<double>(tied))) / total;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

/// hit: whether anything relevant stands among the first k: the Recall@k of retrieval, where a query may have several matches.
///
///     hit@k = [min {rank_i : y_i > 0} <= k]
///
/// Items of equal score are in random order; the value is the probability over it.
///
/// - Time O(n + k), no scratch. No gradient. An item of weight 0 is not relevant; other weights say nothing here.
/// - Edge cases: as recall.
struct hit {
  std::size_t cutoff = 0;  ///< k; 0: the whole list

  static constexpr bool has_gradient = false;

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
/// - Time O(n), no scratch. No gradient. An item of weight 0 is not relevant; other weights say nothing here.
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
}  // namespace rankloss
