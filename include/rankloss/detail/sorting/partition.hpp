// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/sorting/radix_sort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Brings the records of a long list into bins that lie one after the other in the order of their keys, each
/// of about `tuning::bin_items` records: they stay in the cache while a bin is sorted. Records of a bin
/// keep their order.
///
/// Which bin a record belongs to is looked up by the leading bits of its key, in a table that a sample of the
/// keys has filled: keys that share these bits share a bin, whatever its size. The bins depend on the records
/// alone.
///
/// @return where the bins begin in `to`, and the end of the last: in scratch of the caller's scope
template <class Record>
std::span<const std::uint32_t> partition_by_key(std::span<const Record> records, std::span<Record> to,
                                                workspace& scratch) {
  using key = decltype(Record::key);
  constexpr std::size_t samples = std::size_t{1} << 13;
  constexpr unsigned prefix_bits = 14;
  constexpr std::size_t prefixes = std::size_t{1} << prefix_bits;
  const std::size_t n = records.size();
  const even_pieces pieces(n, tuning::piece_items);
  const std::size_t bins = std::clamp<std::size_t>(n / tuning::bin_items, 1, 1024);
  const std::span<std::uint32_t> begin = scratch.take<std::uint32_t>(bins + 1);
  const workspace::scope scope(scratch);

  struct extremes {
    key least, greatest, differing;
  };
  const std::span<extremes> of_piece = scratch.take<extremes>(pieces.count());
  run_pieces(scratch, pieces.count(), [&, first = records[0].key](workspace&, std::size_t p) {
    extremes found{first, first, 0};
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) {
      found.least = std::min(found.least, records[i].key);
      found.greatest = std::max(found.greatest, records[i].key);
      found.differing |= static_cast<key>(records[i].key ^ first);
    }
    of_piece[p] = found;
  });
  extremes all = of_piece[0];
  for (const extremes& e : of_piece) {
    all.least = std::min(all.least, e.least);
    all.greatest = std::max(all.greatest, e.greatest);
    all.differing |= e.differing;
  }
  const key_range<key> range(all.least, all.greatest, all.differing);
  const unsigned shift = range.high > prefix_bits ? range.high - prefix_bits : 0;

  const std::span<std::uint32_t> sampled = scratch.take<std::uint32_t>(prefixes);
  std::fill(sampled.begin(), sampled.end(), 0u);
  for (std::size_t k = 0; k < samples; ++k) ++sampled[range.bits(records[k * n / samples], shift)];
  const std::span<std::uint16_t> bin_of = scratch.take<std::uint16_t>(prefixes);
  std::size_t before = 0;
  for (std::size_t p = 0; p < prefixes; ++p) {
    bin_of[p] = static_cast<std::uint16_t>(std::min(bins - 1, before * bins / samples));
    before += sampled[p];
  }

  const auto bin = [&](const Record& r) { return bin_of[range.bits(r, shift)]; };
  const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(pieces.count() * bins);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    std::uint32_t* const count = counts.data() + p * bins;
    std::fill_n(count, bins, 0u);
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) ++count[bin(records[i])];
  });
  std::uint32_t start = 0;
  for (std::size_t k = 0; k < bins; ++k) {
    begin[k] = start;
    for (std::size_t p = 0; p < pieces.count(); ++p) start += std::exchange(counts[p * bins + k], start);
  }
  begin[bins] = start;
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    std::uint32_t* const next = counts.data() + p * bins;
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) to[next[bin(records[i])]++] = records[i];
  });
  return begin;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
