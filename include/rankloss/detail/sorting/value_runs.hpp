// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/few_values.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Calls run(value, begin, end) for each run of equal values in descending order, at positions [begin, end)
/// counted from 0. Values whose keys differ in a few bits only, as the gains of a few grades do, are counted
/// instead of sorted, and so are few different values of a short list.
template <class T, class Run>
void runs_of_equals(std::span<const T> values, workspace& scratch, Run run) {
  using key = key_of<T>;
  const std::size_t n = values.size();
  if (n == 0) return;
  require_countable(n);
  const key first = descending_key(values[0]);
  key differing = 0;
  for (std::size_t i = 0; i < n; ++i) differing |= static_cast<key>(descending_key(values[i]) ^ first);
  const unsigned low = differing == 0 ? 0 : static_cast<unsigned>(std::countr_zero(differing));
  const unsigned differing_bits = static_cast<unsigned>(std::bit_width(differing)) - low;
  const workspace::scope scope(scratch);
  if (differing_bits <=
      std::min(static_cast<unsigned>(std::bit_width(n)), 16u)) {  // at most about as many counts as items
    // Even and odd items are counted in separate tables, since increments of one count wait for each other.
    const std::size_t buckets = std::size_t{1} << differing_bits;
    const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(2 * buckets);
    std::fill(counts.begin(), counts.end(), 0u);
    for (std::size_t i = 0; i < n; ++i)
      ++counts[i % 2 * buckets +
               (static_cast<std::size_t>(descending_key(values[i]) >> low) & (buckets - 1))];
    const key common = first & static_cast<key>(~(static_cast<key>(buckets - 1) << low));
    std::size_t begin = 0;
    for (std::size_t b = 0; b < buckets; ++b) {
      const std::size_t count = std::size_t{counts[b]} + counts[buckets + b];
      if (count > 0)
        run(static_cast<double>(value_of<T>(common | static_cast<key>(static_cast<key>(b) << low))), begin,
            begin + count);
      begin += count;
    }
    return;
  }
  if (n > tuning::longest_short_sort) {
    if (const few_values<T> few(values); few.apply()) {
      for (std::size_t k = 0, begin = 0; k < few.size(); begin += few.count(k), ++k)
        run(few.value(k) == T{0} ? 0.0 : static_cast<double>(few.value(k)), begin, begin + few.count(k));
      return;
    }
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
