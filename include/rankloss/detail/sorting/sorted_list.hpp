// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// One list, sorted.
template <class T>
struct sorted_list {
  std::span<const T> x;                  ///< [n] scores, descending
  std::span<const std::uint32_t> order;  ///< [n] position of each in the list
};

template <class T>
[[nodiscard]] sorted_list<T> sort_list(const strided<const T>& scores, workspace& scratch) {
  const std::size_t n = scores.size();
  require_countable(n);
  const std::span<T> x = scratch.take<T>(n);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
  const workspace::scope sorting(scratch);
  const auto sorted =
      items_by_key<key_of<T>>(n, scratch, [&](std::size_t i) { return descending_key(bounded(scores[i])); });
  const even_pieces pieces(n, tuning::piece_items);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) {
      x[i] = value_of<T>(sorted[i].key);
      order[i] = sorted[i].payload;
    }
  });
  return {x, order};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
