// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/lists/batch_source.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/pairs/function.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/pairwise.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::conventions {

namespace counting {

/// The constant 1 as a function of pairs.
struct one {
  void validate() const noexcept {}
  [[nodiscard]] double score_scale() const noexcept { return 1.0; }

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V&, const V&) const noexcept {
    using S = typename V::value_type;
    return {V(S(1)), V(S(0)), V(S(0))};
  }
};

/// The sum of the item weights over the pairs of a list. The weight of a pair is that of its more relevant
/// item, or with `all` that of its first item. Without item weights this is the number of pairs, exact up to
/// 2^53. Time: sorts, then O(n); scratch O(n).
struct equal_pairs {
  std::size_t cutoff;
  pairs::keep keep;
  bool all;  ///< all ordered pairs, an item with itself included

  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const std::size_t n = items.size();
    detail::require_countable(n);
    const workspace::scope scope(scratch);
    const std::size_t k = detail::counted_by(cutoff, n);
    const std::span<std::uint8_t> first = scratch.take<std::uint8_t>(n);
    std::fill(first.begin(), first.end(), static_cast<std::uint8_t>(k == n));
    if (k < n)
      for (const std::uint32_t i : detail::sort_list<T>(items.scores, scratch).order.first(k)) first[i] = 1;
    const auto weight = [&](std::size_t i) { return items.weights.empty() ? 1.0 : items.weights[i]; };
    const bool both = keep == pairs::keep::both;
    double sum = 0.0;
    if (all) {
      for (std::size_t i = 0; i < n; ++i)
        sum += weight(i) * static_cast<double>(first[i] != 0 ? (both ? k : n) : (both ? 0 : k));
      return std::min(sum, std::numeric_limits<double>::max());
    }

    const R* y = detail::contiguous_items(items.relevance, scratch);
    const std::span<const std::uint32_t> sorted = detail::order_by_relevance(y, n, nullptr, scratch);
    const auto level = [&](std::size_t i) { return static_cast<double>(y[i]); };
    // From the least relevant up: an item among the first k is paired with all below it, any other item with
    // those of the first k.
    std::size_t below_first = 0;
    std::size_t below = 0;
    for (std::size_t end = n; end > 0;) {
      std::size_t begin = end;
      for (; begin > 0 && level(sorted[begin - 1]) == level(sorted[end - 1]); --begin) {
        const std::uint32_t i = sorted[begin - 1];
        const std::size_t others = first[i] != 0 ? (both ? below_first : below) : (both ? 0 : below_first);
        sum += weight(i) * static_cast<double>(others);
      }
      for (std::size_t p = begin; p < end; ++p) below_first += first[sorted[p]];
      below += end - begin;
      end = begin;
    }
    return std::min(sum, std::numeric_limits<double>::max());
  }
};

/// The values of a loss for each list.
template <class Loss, class T, class R>
[[nodiscard]] std::vector<double> values(const Loss& loss, const list_batch<T, R>& batch) {
  std::vector<double> all(detail::batch_source<T, R>(batch).lists());
  evaluate(loss, batch, {.per_list = all});
  return all;
}

/// sum of term(index) over the kept items of each list
template <class T, class R, class Term>
[[nodiscard]] std::vector<double> sums_over_items(const list_batch<T, R>& batch, Term term) {
  detail::check_shape(batch, {});
  detail::check_weights("item_weights", batch.item_weights, batch.scores.size(), "item", false);
  const detail::batch_source<T, R> lists(batch);
  std::vector<double> sums(lists.lists());
  for (std::size_t l = 0; l < sums.size(); ++l)
    for (std::size_t i = 0; i < lists.size(l); ++i)
      if (lists.kept(l, i)) sums[l] += term(lists.first(l) + i);
  return sums;
}

}  // namespace counting

/// The sum of the weights of each list's pairs, including item weights, with the cutoff of the loss. Passed
/// as list_weights of a loss with pairs::average::weight under reduction::mean, they give the mean over all
/// pairs of the batch. Time: two sorts of each list for pairs::equal, otherwise pair by pair in O(n^2).
/// @throws std::invalid_argument as `evaluate` does; so do all functions here that count.
template <class Function, class Weight, class T, class R>
[[nodiscard]] std::vector<double> pair_weights(const pairwise<Function, Weight>& loss,
                                               const list_batch<T, R>& batch) {
  if constexpr (std::is_same_v<Weight, pairs::equal>)
    return counting::values(counting::equal_pairs{loss.cutoff, loss.keep, false}, batch);
  else
    return counting::values(
        pairwise<counting::one, Weight>{.weight = loss.weight, .cutoff = loss.cutoff, .keep = loss.keep},
        batch);
}

/// The number of each list's pairs, with the cutoff of the loss: list_weights for pairs::average::pairs.
/// Time: two sorts of each list. Not for weights that only look at relevance > 0 (delta_map, delta_mrr).
template <class Function, class Weight, class T, class R>
[[nodiscard]] std::vector<double> pair_counts(const pairwise<Function, Weight>& loss,
                                              list_batch<T, R> batch) {
  constexpr bool binary = requires { requires Weight::binary; };
  static_assert(!binary, "pairs by relevance > 0 are not counted");
  constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  batch.item_weights = {};
  return counting::values(counting::equal_pairs{loss.cutoff, loss.keep, all_pairs}, batch);
}

/// The sum of each list's item weights, or without them its number of items: list_weights of `pointwise` for
/// the mean over all items of the batch.
template <class T, class R>
[[nodiscard]] std::vector<double> item_weights(const list_batch<T, R>& batch) {
  return counting::sums_over_items(
      batch, [&](std::size_t at) { return batch.item_weights.empty() ? 1.0 : batch.item_weights[at]; });
}

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
