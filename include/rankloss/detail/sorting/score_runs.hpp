// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The positions [begin, end), counted from 0, that items of equal score share, and these items:
/// items[j].payload.
template <class T>
struct score_run {
  std::span<const keyed<key_of<T>, std::uint32_t>> items;
  std::size_t begin;
  std::size_t end;
};

/// Calls visit(run) for the runs of equal scores that begin among the first k positions, in descending order
/// of scores.
template <class T, class Visit>
void for_each_run(const strided<const T>& scores, std::size_t k, workspace& scratch, Visit visit) {
  using record = keyed<key_of<T>, std::uint32_t>;
  const std::size_t n = scores.size();
  if (n == 0) return;
  require(n < std::numeric_limits<std::uint32_t>::max(), "scores: a list of ", n,
          " items, expected fewer than 2^32 - 1");
  const workspace::scope scope(scratch);
  std::span<record> records = scratch.take<record>(n);
  for (std::size_t i = 0; i < n; ++i) records[i] = {descending_key(scores[i]), static_cast<std::uint32_t>(i)};
  records = sort_by_key(records, scratch.take<record>(n), scratch);
  for (std::size_t begin = 0, end = 0; begin < n && begin < k; begin = end) {
    while (end < n && records[end].key == records[begin].key) ++end;
    visit(score_run<T>{records.subspan(begin, end - begin), begin, end});
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
