// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sorting/descending_key.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Requires that 32 bits suffice to number the items.
inline void require_countable(std::size_t n) {
  require(n < std::numeric_limits<std::uint32_t>::max(), "scores: a list of ", n,
          " items, expected fewer than 2^32 - 1");
}

/// A key and the data that move along with it.
template <class Key, class Payload>
struct keyed {
  Key key;
  [[no_unique_address]] Payload payload;
};
struct nothing {};

/// One pass that counts `Digits` digits of `Bits` bits each, from bit `low` on: counts[digit][bucket].
template <unsigned Digits, unsigned Bits, class Record>
void count_digits(std::span<const Record> records, unsigned low, std::uint32_t* counts) {
  constexpr std::size_t buckets = std::size_t{1} << Bits;
  const auto bucket = [low](const Record& r, unsigned d) {
    return static_cast<std::size_t>(r.key >> (low + d * Bits)) & (buckets - 1);
  };
  if constexpr (Digits == 1) {
    // With few distinct keys the same count is incremented again and again, and each increment waits for the
    // one before it. A second table halves the wait.
    std::uint32_t* second = counts + buckets;
    std::size_t i = 0;
    for (; i + 1 < records.size(); i += 2) {
      ++counts[bucket(records[i], 0)];
      ++second[bucket(records[i + 1], 0)];
    }
    if (i < records.size()) ++counts[bucket(records[i], 0)];
    for (std::size_t b = 0; b < buckets; ++b) counts[b] += second[b];
  } else {
    for (const Record& r : records)
      for (unsigned d = 0; d < Digits; ++d) ++counts[d * buckets + bucket(r, d)];
  }
}

/// Stable least-significant-digit radix sort by key, ascending. Returns the one of the two buffers that holds
/// the result. Only the bits in which keys differ are sorted by, so grades, of which there are few, take one
/// pass.
template <unsigned Bits, class Record>
std::span<Record> radix_sort(std::span<Record> records, std::span<Record> buffer, workspace& scratch) {
  using key = decltype(Record::key);
  constexpr unsigned most_digits = (8 * sizeof(key) + Bits - 1) / Bits;
  constexpr std::size_t buckets = std::size_t{1} << Bits;
  key differing = 0;
  for (const Record& r : records) differing |= static_cast<key>(r.key ^ records[0].key);
  if (differing == 0) return records;
  const auto low = static_cast<unsigned>(std::countr_zero(differing));
  const unsigned digits = (static_cast<unsigned>(std::bit_width(differing)) - low + Bits - 1) / Bits;

  const workspace::scope scope(scratch);
  const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(std::max(digits, 2u) * buckets);
  std::fill(counts.begin(), counts.end(), 0u);
  unrolled<most_digits>([&]<std::size_t d> {
    if (digits == d + 1) count_digits<d + 1, Bits, Record>(records, low, counts.data());
  });
  for (unsigned d = 0; d < digits; ++d) {
    std::uint32_t* count = counts.data() + d * buckets;
    const unsigned shift = low + d * Bits;
    std::uint32_t start = 0;
    for (std::size_t b = 0; b < buckets; ++b) start += std::exchange(count[b], start);
    for (const Record& r : records)
      buffer[count[static_cast<std::size_t>(r.key >> shift) & (buckets - 1)]++] = r;
    std::swap(records, buffer);
  }
  return records;
}

/// The same for a few records, by comparing each with each: the index of a record is the number of records
/// before it. The comparisons have no branch, since their outcomes are unpredictable. A radix sort
/// would take longer to clear and sum its counts.
template <class Record>
std::span<Record> sort_short(std::span<Record> records, std::span<Record> buffer) noexcept {
  using key = decltype(Record::key);
  key keys[tuning::longest_short_sort];
  std::uint32_t before[tuning::longest_short_sort];
  const std::size_t n = records.size();
  for (std::size_t i = 0; i < n; ++i) keys[i] = records[i].key;
  for (std::size_t i = 0; i < n; ++i) {
    const key own = keys[i];
    std::uint32_t count = 0;
    for (std::size_t j = 0; j < i; ++j) {
      const std::uint32_t greater = keys[j] > own ? 1 : 0;
      before[j] += greater;
      count += 1 - greater;
    }
    before[i] = count;
  }
  for (std::size_t i = 0; i < n; ++i) buffer[before[i]] = records[i];
  return buffer.first(n);
}

/// Sorts stably by rising key. Returns the one of the two buffers that holds the result.
template <class Record>
std::span<Record> sort_by_key(std::span<Record> records, std::span<Record> buffer, workspace& scratch) {
  if (records.size() <= tuning::longest_short_sort) return sort_short(records, buffer);
  // Digits of 11 bits need fewer passes. From some thousands of items on this outweighs clearing and summing
  // 2048 counts per digit. For very long lists it does not: the 2048 places written to are then in more pages
  // than the TLB holds (docs/algorithms/sorting.md).
  if (records.size() < 4096 || records.size() > (std::size_t{1} << 19))
    return radix_sort<8, Record>(records, buffer, scratch);
  return radix_sort<11, Record>(records, buffer, scratch);
}

/// The n records record(0), record(1), ... by rising key; equal keys keep their order. The result lies in
/// memory of `scratch`, beside a buffer of the same size.
template <class Record, class Make>
[[nodiscard]] std::span<Record> records_by_key(std::size_t n, workspace& scratch, Make record) {
  const std::span<Record> records = scratch.take<Record>(n);
  for (std::size_t k = 0; k < n; ++k) records[k] = record(k);
  return sort_by_key(records, scratch.take<Record>(n), scratch);
}

template <class Key>
using keyed_item = keyed<Key, std::uint32_t>;

/// The items 0, 1, ..., n - 1 by rising key(item); items of equal key keep their order. It is the key that is
/// a function of the item, not the value, because with -ffinite-math-only clang assumes that no result of a
/// function is infinite.
template <class Key, class KeyOf>
[[nodiscard]] std::span<keyed_item<Key>> items_by_key(std::size_t n, workspace& scratch, KeyOf key) {
  return records_by_key<keyed_item<Key>>(n, scratch, [&](std::size_t i) {
    return keyed_item<Key>{key(i), static_cast<std::uint32_t>(i)};
  });
}

/// The items of sorted records alone.
template <class Key, class Order>
void write_items(std::span<const keyed_item<Key>> sorted, Order order) {
  for (std::size_t k = 0; k < sorted.size(); ++k) order[k] = sorted[k].payload;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
