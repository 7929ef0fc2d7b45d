// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A key and the data that move along with it.
template <class Key, class Payload>
struct keyed {
  Key key;
  [[no_unique_address]] Payload payload;
};
struct nothing {};

/// Which bits of key - least tell the keys of some records apart: those in [low, high).
template <class Key>
struct key_range {
  Key least;
  unsigned low, high;

  template <class Record>
  explicit key_range(std::span<const Record> records) noexcept {
    Key greatest = least = records[0].key;
    Key differing = 0;
    for (const Record& r : records) {
      least = std::min(least, r.key);
      greatest = std::max(greatest, r.key);
      differing |= static_cast<Key>(r.key ^ records[0].key);
    }
    set(greatest, differing);
  }

  key_range(Key least_key, Key greatest, Key differing) noexcept : least(least_key) {
    set(greatest, differing);
  }

  [[nodiscard]] bool one_key() const noexcept { return low == high; }
  [[nodiscard]] unsigned width() const noexcept { return high - low; }

  /// The bits of a record's key from `shift` on.
  template <class Record>
  [[nodiscard]] std::size_t bits(const Record& r, unsigned shift) const noexcept {
    return static_cast<std::size_t>(static_cast<Key>(r.key - least) >> shift);
  }

 private:
  void set(Key greatest, Key differing) noexcept {
    high = static_cast<unsigned>(std::bit_width(static_cast<Key>(greatest - least)));
    low = differing == 0 ? high : static_cast<unsigned>(std::countr_zero(differing));
  }
};

/// One pass that counts `Digits` digits of `Bits` bits each, from bit `low` on: counts[digit][bucket].
template <unsigned Digits, unsigned Bits, class Record, class Key>
void count_digits(std::span<const Record> records, const key_range<Key>& range, unsigned low,
                  std::uint32_t* counts) {
  constexpr std::size_t buckets = std::size_t{1} << Bits;
  const auto bucket = [&](const Record& r, unsigned d) {
    return range.bits(r, low + d * Bits) & (buckets - 1);
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

/// Stable least-significant-digit radix sort by `digits` digits of `Bits` bits, from bit `low` on. Returns the
/// one of the two buffers that holds the result.
template <unsigned Bits, class Record, class Key>
std::span<Record> sort_by_digits(std::span<Record> records, std::span<Record> buffer,
                                 const key_range<Key>& range, unsigned low, unsigned digits,
                                 workspace& scratch) {
  constexpr unsigned most_digits = (8 * sizeof(Key) + Bits - 1) / Bits;
  constexpr std::size_t buckets = std::size_t{1} << Bits;
  const workspace::scope scope(scratch);
  const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(std::max(digits, 2u) * buckets);
  std::fill(counts.begin(), counts.end(), 0u);
  unrolled<most_digits>([&]<std::size_t d> {
    if (digits == d + 1) count_digits<d + 1, Bits, Record>(records, range, low, counts.data());
  });
  for (unsigned d = 0; d < digits; ++d) {
    std::uint32_t* count = counts.data() + d * buckets;
    std::uint32_t start = 0;
    for (std::size_t b = 0; b < buckets; ++b) start += std::exchange(count[b], start);
    for (const Record& r : records) buffer[count[range.bits(r, low + d * Bits) & (buckets - 1)]++] = r;
    std::swap(records, buffer);
  }
  return records;
}

/// Sorts records that are nearly sorted, stably. Returns false, with the records in some order in which equal
/// keys have kept theirs, when they are not that near.
template <class Record>
[[nodiscard]] bool sort_nearly_sorted(std::span<Record> records) noexcept {
  std::size_t left = records.size();  // moves, of which a pass of the radix sort makes as many
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (!(records[i].key < records[i - 1].key)) continue;
    const Record moved = records[i];
    std::size_t to = i;
    do {
      records[to] = records[to - 1];
      --to;
      if (--left == 0) {
        records[to] = moved;
        return false;
      }
    } while (to > 0 && moved.key < records[to - 1].key);
    records[to] = moved;
  }
  return true;
}

/// Sorts stably by rising key, by as many leading bits as tell nearly all keys apart; the few that they do not
/// are moved to their places afterwards. Where that are many, all bits are sorted by. Bits in which no keys
/// differ are left out, so grades, of which there are few, take one pass.
///
/// @param spread  how unevenly the keys may lie in their range, in bits: so many more are sorted by
template <class Record>
std::span<Record> radix_sort(std::span<Record> records, std::span<Record> buffer, unsigned spread,
                             workspace& scratch) {
  using key = decltype(Record::key);
  const key_range<key> range{std::span<const Record>(records)};
  if (range.one_key()) return records;
  const auto digits_of = [](unsigned bits, unsigned each) { return (bits + each - 1) / each; };
  const auto by = [&](unsigned wanted) {
    // Digits of 11 bits need fewer passes. From some thousand items on this outweighs clearing and summing
    // 2048 counts per digit.
    const unsigned narrow = digits_of(wanted, 8), wide = digits_of(wanted, 11);
    const bool by_wide = wide < narrow && records.size() >= tuning::shortest_wide_digits;
    const unsigned digits = by_wide ? wide : narrow, bits = digits * (by_wide ? 11 : 8);
    const unsigned low = range.high > range.low + bits ? range.high - bits : range.low;
    const std::span<Record> sorted = by_wide
                                         ? sort_by_digits<11>(records, buffer, range, low, digits, scratch)
                                         : sort_by_digits<8>(records, buffer, range, low, digits, scratch);
    if (sorted.data() == buffer.data()) std::swap(records, buffer);
    return low > range.low;  // whether keys may still be out of order
  };
  const auto leading = static_cast<unsigned>(std::bit_width(records.size())) + spread;
  if (by(std::min(range.width(), leading)) && !sort_nearly_sorted(records)) by(range.width());
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

}  // namespace rankloss::inline RANKLOSS_ABI::detail
