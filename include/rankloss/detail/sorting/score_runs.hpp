// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The positions [begin, end), counted from 0, that items of equal score share, and these items:
/// items[j].payload.
template <class T>
struct score_run {
  std::span<const keyed_item<key_of<T>>> items;
  std::size_t begin;
  std::size_t end;
};

/// Calls visit(run) for the runs of equal scores that begin among the first k positions, in descending order
/// of scores.
template <class T, class Visit>
void for_each_run(const strided<const T>& scores, std::size_t k, workspace& scratch, Visit visit) {
  const std::size_t n = scores.size();
  if (n == 0) return;
  require_countable(n);
  const workspace::scope scope(scratch);
  const auto sorted =
      items_by_key<key_of<T>>(n, scratch, [&](std::size_t i) { return descending_key(scores[i]); });
  for (std::size_t begin = 0, end = 0; begin < n && begin < k; begin = end) {
    while (end < n && sorted[end].key == sorted[begin].key) ++end;
    visit(score_run<T>{sorted.subspan(begin, end - begin), begin, end});
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
