// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Calls run(value, begin, end) for each run of equal values in descending order, at positions [begin, end)
/// counted from 0. Values whose keys differ in a few bits only, as the gains of a few grades do, are counted
/// instead of sorted.
template <class T, class Run>
void runs_of_equals(std::span<const T> values, workspace& scratch, Run run) {
  using key = key_of<T>;
  const std::size_t n = values.size();
  if (n == 0) return;
  require_countable(n);
  const key first = descending_key(values[0]);
  const workspace::scope scope(scratch);
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<key> differing_in = scratch.take<key>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    key found = 0;
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i)
      found |= static_cast<key>(descending_key(values[i]) ^ first);
    differing_in[p] = found;
  });
  key differing = 0;
  for (const key found : differing_in) differing |= found;
  const unsigned low = differing == 0 ? 0 : static_cast<unsigned>(std::countr_zero(differing));
  const unsigned differing_bits = static_cast<unsigned>(std::bit_width(differing)) - low;
  if (differing_bits <=
      std::min(static_cast<unsigned>(std::bit_width(n)), 16u)) {  // at most about as many counts as items
    // Items are counted in four tables in turn, since increments of one count wait for each other, and each
    // piece has tables of its own.
    constexpr std::size_t tables = 4;
    const std::size_t buckets = std::size_t{1} << differing_bits;
    const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(pieces.count() * tables * buckets);
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      std::uint32_t* const own = counts.data() + p * tables * buckets;
      std::fill_n(own, tables * buckets, 0u);
      const auto bucket = [&](std::size_t i) {
        return static_cast<std::size_t>(descending_key(values[i]) >> low) & (buckets - 1);
      };
      std::size_t i = pieces[p].begin;
      for (; i + tables <= pieces[p].end; i += tables)
        for (std::size_t t = 0; t < tables; ++t) ++own[t * buckets + bucket(i + t)];
      for (; i < pieces[p].end; ++i) ++own[bucket(i)];
    });
    const key common = first & static_cast<key>(~(static_cast<key>(buckets - 1) << low));
    std::size_t begin = 0;
    for (std::size_t b = 0; b < buckets; ++b) {
      std::size_t count = 0;
      for (std::size_t t = 0; t < pieces.count() * tables; ++t) count += counts[t * buckets + b];
      if (count > 0)
        run(static_cast<double>(value_of<T>(common | static_cast<key>(static_cast<key>(b) << low))), begin,
            begin + count);
      begin += count;
    }
    return;
  }
  using record = keyed<key, nothing>;
  const auto records = records_by_key<record>(n, scratch, [&](std::size_t i) {
    return record{descending_key(values[i]), {}};
  });
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin + 1;
    while (end < n && records[end].key == records[begin].key) ++end;
    run(static_cast<double>(value_of<T>(records[begin].key)), begin, end);
    begin = end;
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
