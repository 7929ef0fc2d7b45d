// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// How the items of one list lie for sums of a sigmoid over all pairs: in cells where the scores are dense,
/// or else sorted in rows over all lanes, for scans. Cells of a grid need no sort, so they are tried first.
template <class Arch, class T>
struct sigmoid_layout {
  bool dense = false;
  cell_list<Arch, T> cells;  ///< where dense
  sorted_rows<Arch> rows;    ///< where not

  sigmoid_layout() = default;

  /// In a dense layout by_slot[slot] = values[i]; both may be empty.
  sigmoid_layout(const strided<const T>& scores, double temperature, std::span<const T> values,
                 std::span<T> by_slot, workspace& scratch) {
    dense = cells.divide_by_grid(scores, temperature, values, by_slot, scratch);
    if (dense) return;
    const sorted_list<T> sorted = sort_list<T>(scores, scratch);
    dense = cells.divide_sorted(sorted.x, sorted.order, temperature, values, by_slot, scratch);
    if (!dense) rows = lay_in_rows<Arch, T>(sorted, temperature, scratch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
