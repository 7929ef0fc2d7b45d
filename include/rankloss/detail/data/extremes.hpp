// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

template <class S>
struct extremes {
  S least, most;
};
/// The least and the greatest of n > 0 values, none of which is NaN. Four independent chains of comparisons
/// hide the latency of each, since every comparison of a chain waits for the one before it.
template <class Values>
[[nodiscard]] inline auto extremes_of(const Values& values) noexcept {
  using S = std::remove_cvref_t<decltype(values[0])>;
  extremes<S> lane[4];
  std::fill_n(lane, 4, extremes<S>{values[0], values[0]});
  const auto take = [&](extremes<S>& e, std::size_t i) {
    e.least = values[i] < e.least ? values[i] : e.least;
    e.most = values[i] > e.most ? values[i] : e.most;
  };
  std::size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    take(lane[0], i);
    take(lane[1], i + 1);
    take(lane[2], i + 2);
    take(lane[3], i + 3);
  }
  for (; i < values.size(); ++i) take(lane[0], i);
  extremes<S> all = lane[0];
  for (const extremes<S>& e : lane) all = {std::min(all.least, e.least), std::max(all.most, e.most)};
  return all;
}

/// The same of a long list, by all workers that the scratch has.
template <class Values>
[[nodiscard]] inline auto extremes_of(const Values& values, workspace& scratch) {
  using S = std::remove_cvref_t<decltype(values[0])>;
  const even_pieces pieces(values.size(), tuning::piece_items);
  if (pieces.count() == 1) return extremes_of(values);
  struct part_of {
    const Values& values;
    item_range range;
    [[nodiscard]] S operator[](std::size_t i) const noexcept { return values[range.begin + i]; }
    [[nodiscard]] std::size_t size() const noexcept { return range.size(); }
  };
  const workspace::scope scope(scratch);
  const std::span<extremes<S>> parts = scratch.take<extremes<S>>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    parts[p] = extremes_of(part_of{values, pieces[p]});
  });
  extremes<S> all = parts[0];
  for (const extremes<S>& e : parts) all = {std::min(all.least, e.least), std::max(all.most, e.most)};
  return all;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
