// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A key that at least k of the keys do not exceed, 1 <= k <= number of keys, and no more than `most` of them
/// unless too many are equal to the k-th. It is found by bisection: half way between two values at first,
/// which is near where values are spread evenly, then half way between two keys, which needs no more steps
/// than a key has bits. A step reads all keys and has no branch.
/// @param n  number of keys; behind them are keys of the greatest number up to `padded`
template <class T>
[[nodiscard]] key_of<T> bound_of_first(const key_of<T>* keys, std::size_t n, std::size_t padded,
                                       std::size_t k, std::size_t most) noexcept {
  using key = key_of<T>;
  constexpr unsigned by_value = 6;
  key low = keys[0];
  key high = keys[0];
  for (std::size_t i = 0; i < n; ++i) {
    low = keys[i] < low ? keys[i] : low;
    high = keys[i] > high ? keys[i] : high;
  }
  for (unsigned step = 0; low < high; ++step) {
    key middle = low + (high - low) / 2;
    if (step < by_value) {
      const T between = static_cast<T>(0.5 * static_cast<double>(bounded(value_of<T>(low))) +
                                       0.5 * static_cast<double>(bounded(value_of<T>(high))));
      middle = std::clamp(descending_key(between), low, static_cast<key>(high - 1));
    }
    key count = 0;  // of the size of a key, so that both fill a vector
    for (std::size_t i = 0; i < padded; ++i) count += keys[i] <= middle ? key{1} : key{0};
    if (count < k) {
      low = middle + 1;
      continue;
    }
    high = middle;
    if (count <= most) break;
  }
  return high;
}

/// The positions [begin, end), counted from 0, that items of equal score share, and these items:
/// items[j].payload.
template <class T>
struct score_run {
  std::span<const keyed_item<key_of<T>>> items;
  std::size_t begin;
  std::size_t end;
};

/// The items at the first k positions by falling value, and all that are tied with the last of them. Of equal
/// values the first comes first. Where k is a small part of the list these items are selected, and only they
/// are sorted; all of this is done when they are first asked for.
template <class T>
class first_positions {
 public:
  using key = key_of<T>;

  /// Takes scratch of the caller's scope.
  first_positions(const strided<const T>& values, std::size_t k, workspace& scratch)
      : values_(values),
        k_(std::min(k, values.size())),
        scratch_(scratch),
        records_(scratch.take<record>(values.size())),
        buffer_(scratch.take<record>(values.size())) {
    require_countable(values.size());
  }

  /// The key of the item at a position of the first k, counted from 0.
  [[nodiscard]] key key_at(std::size_t position) { return sorted()[position].key; }

  /// Calls visit(run) for the runs of equal values that begin among the first `count` positions, count <= k.
  template <class Visit>
  void for_each_run(std::size_t count, Visit visit) {
    if (count == 0 || k_ == 0) return;
    const std::span<const record> all = sorted();
    for (std::size_t begin = 0, end = 0; begin < count && begin < all.size(); begin = end) {
      while (end < all.size() && all[end].key == all[begin].key) ++end;
      visit(score_run<T>{all.subspan(begin, end - begin), begin, end});
    }
  }

 private:
  using record = keyed_item<key>;

  [[nodiscard]] std::span<const record> sorted() {
    if (sorted_.empty()) {
      const std::size_t kept = gather();
      sorted_ = sort_by_key(records_.first(kept), buffer_.first(kept), scratch_);
    }
    return sorted_;
  }

  /// Writes records of the first positions, at least, in the order of the list; returns their number.
  [[nodiscard]] std::size_t gather() {
    const std::size_t n = values_.size();
    const std::size_t most = k_ + k_ / 2 + 4;  // fewer would take more steps than their sort saves
    if (n <= std::max(tuning::longest_short_sort, 2 * most)) {
      for (std::size_t i = 0; i < n; ++i)
        records_[i] = {descending_key(values_[i]), static_cast<std::uint32_t>(i)};
      return n;
    }
    constexpr std::size_t unit = 64 / sizeof(key);
    const std::size_t padded = (n + unit - 1) / unit * unit;
    const workspace::scope scope(scratch_);
    const std::span<key> keys = scratch_.take<key>(padded);
    if (values_.stride() == 1)
      for (std::size_t i = 0; i < n; ++i) keys[i] = descending_key(values_.data()[i]);
    else
      for (std::size_t i = 0; i < n; ++i) keys[i] = descending_key(values_[i]);
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(n), keys.end(), std::numeric_limits<key>::max());
    const key bound = bound_of_first<T>(keys.data(), n, padded, k_, most);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      records_[kept] = {keys[i], static_cast<std::uint32_t>(i)};
      kept += keys[i] <= bound ? 1u : 0u;
    }
    return kept;
  }

  strided<const T> values_;
  std::size_t k_;
  workspace& scratch_;
  std::span<record> records_, buffer_;  // [n]
  std::span<const record> sorted_;      // empty: not yet sorted
};

/// A metric whose value follows from the first positions by score. first_positions of more of them give the same
/// value.
template <class Metric, class T, class R>
concept reads_positions = requires(const Metric& metric, const list<T, R>& items, first_positions<T>& first,
                                   workspace& scratch) {
  metric.of_positions(items, first, scratch);
};

/// How many of them it reads: those up to its cutoff, or all, unless it says something else.
template <class Metric, class T, class R>
[[nodiscard]] std::size_t positions_read(const Metric& metric, const list<T, R>& items) noexcept {
  if constexpr (requires { metric.positions_read(items); })
    return metric.positions_read(items);
  else if constexpr (requires { metric.cutoff; })
    return counted_by(metric.cutoff, items.size());
  else
    return items.size();
}

/// The value of such a metric by itself.
template <class Metric, class T, class R>
[[nodiscard]] double value_of_positions(const Metric& metric, const list<T, R>& items, workspace& scratch) {
  const workspace::scope scope(scratch);
  first_positions<T> first(items.scores, positions_read(metric, items), scratch);
  return metric.of_positions(items, first, scratch);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
