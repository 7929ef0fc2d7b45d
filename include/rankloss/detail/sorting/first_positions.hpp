// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
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
/// are sorted.
template <class T>
class first_positions {
 public:
  using key = key_of<T>;

  first_positions(const strided<const T>& values, std::size_t k, workspace& scratch)
      : records_(sorted(values, k, scratch)) {}

  /// The key of the item at a position of the first k, counted from 0.
  [[nodiscard]] key key_at(std::size_t position) const noexcept { return records_[position].key; }

  /// Calls visit(run) for the runs of equal values that begin among the first `count` positions, count <= k.
  template <class Visit>
  void for_each_run(std::size_t count, Visit visit) const {
    for (std::size_t begin = 0, end = 0; begin < count && begin < records_.size(); begin = end) {
      while (end < records_.size() && records_[end].key == records_[begin].key) ++end;
      visit(score_run<T>{records_.subspan(begin, end - begin), begin, end});
    }
  }

 private:
  using record = keyed_item<key>;

  [[nodiscard]] static std::span<const record> sorted(const strided<const T>& values, std::size_t k,
                                                      workspace& scratch) {
    const std::size_t n = values.size();
    require_countable(n);
    k = std::min(k, n);
    if (k == 0) return {};
    const std::size_t most = k + k / 2 + 4;
    if (n <= std::max(tuning::longest_short_sort, 2 * most))
      return items_by_key<key>(n, scratch, [&](std::size_t i) { return descending_key(values[i]); });

    constexpr std::size_t unit = 64 / sizeof(key);
    const std::size_t padded = (n + unit - 1) / unit * unit;
    const std::span<record> records = scratch.take<record>(n);
    const std::span<record> buffer = scratch.take<record>(n);
    const workspace::scope scope(scratch);
    const std::span<key> keys = scratch.take<key>(padded);
    if (values.stride() == 1)
      for (std::size_t i = 0; i < n; ++i) keys[i] = descending_key(values.data()[i]);
    else
      for (std::size_t i = 0; i < n; ++i) keys[i] = descending_key(values[i]);
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(n), keys.end(), std::numeric_limits<key>::max());
    const key bound = bound_of_first<T>(keys.data(), n, padded, k, most);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      records[kept] = {keys[i], static_cast<std::uint32_t>(i)};
      kept += keys[i] <= bound ? 1u : 0u;
    }
    return sort_by_key(records.first(kept), buffer.first(kept), scratch);
  }

  std::span<const record> records_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
