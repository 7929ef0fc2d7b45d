// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sorting/descending_key.hpp>
#include <rankloss/detail/sorting/partition.hpp>
#include <rankloss/detail/sorting/radix_sort.hpp>
#include <rankloss/workspace.hpp>

// Faces alone compute nothing, and whoever reads them may have no SIMD library.
#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/detail/sorting/vector_sort.hpp>
#endif

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

/// Sorts stably by rising key. Returns the one of the two buffers that holds the result. Long lists are first
/// brought into bins, which are sorted by all workers that the scratch has.
template <class Record>
std::span<Record> sort_by_key(std::span<Record> records, std::span<Record> buffer, workspace& scratch) {
  // Keys of a list may be anywhere in the range of the type, as those of normal scores are, most of which have
  // few exponents. Those of a bin are spread more evenly.
  constexpr unsigned of_lists = 11, of_bins = 4;
  const std::size_t n = records.size();
  if (n <= tuning::longest_short_sort) return sort_short(records, buffer);
#if !defined(RANKLOSS_FACES_ONLY)
  if constexpr (sizeof(Record::key) == 4) {
    using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
    if (n <= tuning::longest_vector_sort(lane_count<Arch>))
      return sort_in_vectors<Arch, Record>(records, buffer, scratch);
  }
#endif
  if (n < tuning::shortest_partition) return radix_sort(records, buffer, of_lists, scratch);
  const workspace::scope scope(scratch);
  const std::span<const std::uint32_t> begin =
      partition_by_key(std::span<const Record>(records), buffer, scratch);
  run_pieces(scratch, begin.size() - 1, [&](workspace& own, std::size_t p) {
    const std::size_t size = begin[p + 1] - begin[p];
    const std::span<Record> bin = buffer.subspan(begin[p], size), other = records.subspan(begin[p], size);
    // A bin that is not much smaller holds one prefix, with keys that differ in the bits behind it.
    const std::span<Record> sorted = size <= tuning::longest_short_sort ? sort_short(bin, other)
                                     : size < tuning::shortest_partition || size == n
                                         ? radix_sort(bin, other, of_bins, own)
                                         : sort_by_key(bin, other, own);
    if (sorted.data() != bin.data()) std::copy(sorted.begin(), sorted.end(), bin.begin());
  });
  return buffer;
}

/// The n records record(0), record(1), ... by rising key; equal keys keep their order. The result lies in
/// memory of `scratch`, beside a buffer of the same size.
template <class Record, class Make>
[[nodiscard]] std::span<Record> records_by_key(std::size_t n, workspace& scratch, Make record) {
  const std::span<Record> records = scratch.take<Record>(n);
  const even_pieces pieces(n, tuning::piece_items);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    for (std::size_t k = pieces[p].begin; k < pieces[p].end; ++k) records[k] = record(k);
  });
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
