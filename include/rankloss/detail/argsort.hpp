// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/check_data.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>
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

template <class T>
using key_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Turns the bits below the sign of what has the sign bit not set, and back. No branch: signs of scores are not to be foretold.
template <class Key>
[[nodiscard]] constexpr Key turn_below_sign(Key bits) noexcept {
  constexpr unsigned sign_bit = 8 * sizeof(Key) - 1;
  return bits ^ (((bits >> sign_bit) - 1) & ~(Key{1} << sign_bit));
}

/// An unsigned integer that rises as the value falls; +0 and -0 give the same one.
template <class T>
[[nodiscard]] inline key_of<T> descending_key(const T& value) noexcept {
  // By bits, since value + 0 is folded to value where a compiler is told that the sign of 0 means nothing.
  const auto bits = std::bit_cast<key_of<T>>(value);
  return turn_below_sign(static_cast<key_of<T>>(bits << 1) == 0 ? key_of<T>{0} : bits);
}

template <class T>
[[nodiscard]] inline T value_of(key_of<T> descending) noexcept {
  return std::bit_cast<T>(turn_below_sign(descending));
}

/// Items are counted in 32 bits.
inline void require_countable(std::size_t n) {
  require(n < std::numeric_limits<std::uint32_t>::max(), "scores: a list of ", n, " items, expected fewer than 2^32 - 1");
}

/// A key and what moves along with it.
template <class Key, class Payload>
struct keyed {
  Key key;
  [[no_unique_address]] Payload payload;
};
struct nothing {};

/// One counting pass for `Digits` digits of `Bits` bits from `low` on: counts[digit][bucket].
template <unsigned Digits, unsigned Bits, class Record>
void count_digits(std::span<const Record> records, unsigned low, std::uint32_t* counts) {
  constexpr std::size_t buckets = std::size_t{1} << Bits;
  const auto bucket = [low](const Record& r, unsigned d) { return static_cast<std::size_t>(r.key >> (low + d * Bits)) & (buckets - 1); };
  if constexpr (Digits == 1) {
    // Few distinct keys hit the same count again and again: a second table halves the wait.
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

/// Stable least-significant-digit radix sort by key, ascending; returns the one of the two buffers that holds the result.
/// Only the bits in which the keys differ are sorted by: grades, which are few, take one pass.
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
    for (const Record& r : records) buffer[count[static_cast<std::size_t>(r.key >> shift) & (buckets - 1)]++] = r;
    std::swap(records, buffer);
  }
  return records;
}

template <class Record>
std::span<Record> sort_by_key(std::span<Record> records, std::span<Record> buffer, workspace& scratch) {
  // Clearing and summing 2048 counts a digit pays from some thousands of items on; as many places to write to no longer do where their pages are
  // more than the machine keeps the addresses of (docs/algorithms/sorting.md).
  if (records.size() < 4096 || records.size() > (std::size_t{1} << 19)) return radix_sort<8, Record>(records, buffer, scratch);
  return radix_sort<11, Record>(records, buffer, scratch);
}

/// Batcher's merge exchange for any n (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M): calls exchange(i, j), i < j, so that
/// if each call orders its pair the sequence ends sorted. No data decide, so many sequences can go through it at once. The last phase, p = 1,
/// merges the sorted items at even and at odd places: that alone with `first_phase` = 1.
template <class Exchange>
constexpr void merge_exchange(std::size_t n, Exchange exchange, std::size_t first_phase = 0) {
  if (n < 2) return;
  const std::size_t top = std::bit_ceil(n) / 2;
  for (std::size_t p = first_phase > 0 ? first_phase : top; p > 0; p /= 2) {
    std::size_t q = top;
    std::size_t r = 0;
    for (std::size_t d = p;;) {
      // i runs over [0, n - d) with (i & p) == r: blocks of p, every other one.
      for (std::size_t block = r; block + d < n; block += 2 * p) {
        const std::size_t end = block + p < n - d ? block + p : n - d;
        for (std::size_t i = block; i < end; ++i) exchange(i, i + d);
      }
      if (q == p) break;
      d = q - p;
      q /= 2;
      r = p;
    }
  }
}

/// The exchanges of merge_exchange for a small constant n, as constants.
template <std::size_t n, std::size_t first_phase>
struct exchanges {
  static constexpr std::size_t count = [] {
    std::size_t c = 0;
    merge_exchange(
        n, [&](std::size_t, std::size_t) { ++c; }, first_phase);
    return c;
  }();
  static constexpr auto pairs = [] {
    std::array<std::array<std::size_t, 2>, count> all{};
    std::size_t c = 0;
    merge_exchange(
        n,
        [&](std::size_t i, std::size_t j) {
          all[c++] = {i, j};
        },
        first_phase);
    return all;
  }();

  template <class Row, class Order>
  [[gnu::always_inline]] static void run(Row* rows, Order order) {
    unrolled<count>([&]<std::size_t c> { order(rows[pairs[c][0]], rows[pairs[c][1]]); });
  }
};

/// Rows of a network are sorted by so many: they and those that they are merged with fit in registers.
inline constexpr std::size_t network_block = 8;

/// Sorts `count` rows, a multiple of network_block, by a network: load(i) gives a row, store(i, row) keeps it, order(a, b) puts the lower
/// item of each lane in a, the higher one in b. A network of blocks: where it would exchange two items, two sorted blocks are merged and
/// split, in registers.
template <class Load, class Store, class Order>
void sort_rows(std::size_t count, Load load, Store store, Order order) {
  constexpr std::size_t b = network_block;
  using row = decltype(load(std::size_t{}));
  for (std::size_t i = 0; i < count; i += b) {
    row rows[b];
    unrolled<b>([&]<std::size_t k> { rows[k] = load(i + k); });
    exchanges<b, 0>::run(rows, order);
    unrolled<b>([&]<std::size_t k> { store(i + k, rows[k]); });
  }
  merge_exchange(count / b, [&](std::size_t i, std::size_t j) {
    row rows[2 * b];
    unrolled<b>([&]<std::size_t k> {
      rows[2 * k] = load(i * b + k);
      rows[2 * k + 1] = load(j * b + k);
    });
    exchanges<2 * b, 1>::run(rows, order);
    unrolled<b>([&]<std::size_t k> {
      store(i * b + k, rows[k]);
      store(j * b + k, rows[b + k]);
    });
  });
}

/// The next multiple of network_block.
[[nodiscard]] constexpr std::size_t network_rows(std::size_t rows) noexcept { return (rows + network_block - 1) / network_block * network_block; }

}  // namespace rankloss::inline RANKLOSS_ABI::detail
