// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>
#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// How one long sorted list lies in lanes: lane l holds items [l * rows, (l + 1) * rows); the last lanes may
/// hold fewer.
struct stretches {
  /// Term k of a scan has a reach of its own, the k-th part of that of the first. [0] is for all terms, [1] for those from
  /// the third on, [2] for those of the second half.
  std::array<std::size_t, 3> warm_down;  ///< first row from which every lane's end is within reach
  std::array<std::size_t, 3> warm_up;    ///< rows from each lane's beginning that are within its reach
  std::array<double, 16>
      decay_down;  ///< [l] over the whole of lane l, from its first item to the first of lane l + 1
  std::array<double, 16> decay_up;  ///< [l] from the last item of lane l - 1 to the last of lane l
};

/// Scores sorted, descending and stably, and laid in rows of lanes for the scans of sorted_sums.hpp: either
/// one long list, cut into one stretch per lane, or several short lists, one per lane. The results for a
/// short list do not depend on the other lists.
///
/// "Items" below are numbered by their index in memory: item i of a single list is i; item i of list l of a
/// group is l * rows + i, so that each list has room for `rows` items, of which those beyond its size are
/// padding.
template <class Arch>
struct sorted_rows {
  static constexpr std::size_t w = lane_count<Arch>;

  std::size_t rows = 0;
  std::size_t whole_rows = 0;  ///< rows in which every lane holds an item (or a group's padding)
  std::size_t items = 0;       ///< size of arrays over items
  std::span<const std::uint32_t>
      order;  ///< [rows][lanes] which item; beyond the whole rows, `items` where a lane has ended
  std::span<const double>
      decay;  ///< [rows + 1][lanes] exp(-(x_{i-1} - x_i)) in units of temperature; 0 across a lane's end
  lanes<Arch> rank_of_first = lanes<Arch>(1.0);  ///< [lanes] hard rank of the lane's first item
  bool single = false;                           ///< one list over all lanes: its scans start from `seams`
  stretches seams{};

  /// rows[i][l] = values[order[i][l]], 0 where a lane has ended.
  template <class S, class Row>
  void gather(const S* values, Row* to) const noexcept {
    for (std::size_t i = 0; i < whole_rows; ++i)
      for (std::size_t l = 0; l < w; ++l) to[i * w + l] = static_cast<Row>(values[order[i * w + l]]);
    for (std::size_t at = whole_rows * w; at < rows * w; ++at)
      to[at] = order[at] < items ? static_cast<Row>(values[order[at]]) : Row{0};
  }

  /// values[order[i][l]] = row[l]
  template <class T>
  [[gnu::always_inline]] void scatter(std::size_t i, const lanes<Arch>& row,
                                      const strided<T>& values) const noexcept {
    alignas(64) double from[w];
    row.store_aligned(from);
    const std::uint32_t* item = order.data() + i * w;
    if (i < whole_rows) {
      for (std::size_t l = 0; l < w; ++l) values[item[l]] = static_cast<T>(from[l]);
    } else {
      for (std::size_t l = 0; l < w; ++l)
        if (item[l] < items) values[item[l]] = static_cast<T>(from[l]);
    }
  }
};

/// Scores of up to `lane_count` lists, [lane][row]. The padding has the lowest number as its score and
/// follows the items of its list, so it sorts behind them.
template <class Arch, class T, class R>
[[nodiscard]] std::span<T> lay_in_lanes(std::span<const list<T, R>> lists, std::size_t rows,
                                        workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const std::span<T> x = scratch.take<T>(rows * w);
  for (std::size_t l = 0; l < w; ++l) {
    const std::size_t n = l < lists.size() ? lists[l].size() : 0;
    T* to = x.data() + l * rows;
    if (n > 0 && lists[l].scores.stride() == 1) {
      const T* score = lists[l].scores.data();
      for (std::size_t i = 0; i < n; ++i) to[i] = bounded(score[i]);
    } else {
      for (std::size_t i = 0; i < n; ++i) to[i] = bounded(lists[l].scores[i]);
    }
    std::fill(to + n, to + rows, std::numeric_limits<T>::lowest());
  }
  return x;
}

template <class T, class R>
[[nodiscard]] std::size_t longest_of(std::span<const list<T, R>> lists) noexcept {
  std::size_t rows = 0;
  for (const auto& items : lists) rows = std::max(rows, items.size());
  return rows;
}

/// Rows and their scores, [row][lane], with the lowest number where a list has ended.
template <class Arch>
struct plain_rows {
  sorted_rows<Arch> rows;
  std::span<const double> x;
  lanes<Arch> sizes = lanes<Arch>(0.0);  ///< items of each lane's list

  /// Which lanes hold an item in row i.
  [[nodiscard]] auto holds(std::size_t i) const noexcept {
    return sizes > lanes<Arch>(static_cast<double>(i));
  }
};

/// The sizes of up to `lane_count` lists, 0 in the lanes beyond them.
template <class Arch, class T, class R>
[[nodiscard]] lanes<Arch> sizes_of(std::span<const list<T, R>> lists) noexcept {
  alignas(64) double sizes[lane_count<Arch>]{};
  for (std::size_t l = 0; l < lists.size(); ++l) sizes[l] = static_cast<double>(lists[l].size());
  return lanes<Arch>::load_aligned(sizes);
}

/// Up to `lane_count` lists in their original order, for the plain O(n^2) form.
template <class Arch, class T, class R>
[[nodiscard]] plain_rows<Arch> lay_group(std::span<const list<T, R>> lists, workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t rows = longest_of(lists);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(rows * w);
  const std::span<double> x = scratch.take<double>(rows * w);
  const workspace::scope laying(scratch);
  const std::span<const T> by_lane = lay_in_lanes<Arch>(lists, rows, scratch);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t l = 0; l < w; ++l) {
      order[i * w + l] = static_cast<std::uint32_t>(l * rows + i);
      x[i * w + l] = static_cast<double>(by_lane[l * rows + i]);
    }
  plain_rows<Arch> group;
  group.rows.rows = group.rows.whole_rows = rows;
  group.rows.items = rows * w;
  group.rows.order = order;
  group.x = x;
  group.sizes = sizes_of<Arch>(lists);
  return group;
}

/// Up to `lane_count` lists, sorted: rows without decay, and their scores, [row][lane].
template <class Arch, class T, class R>
[[nodiscard]] plain_rows<Arch> sort_lanes(std::span<const list<T, R>> lists, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t rows = longest_of(lists);
  const std::size_t all_rows = network_rows(rows);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(rows * w);
  const std::span<double> sorted_x = scratch.take<double>(rows * w);
  const workspace::scope sorting(scratch);
  const std::span<const T> x = lay_in_lanes<Arch>(lists, rows, scratch);

  if constexpr (sizeof(T) == 4) {
    // Key and index share the mantissa of a double in [1, 2): one comparison compares both, and an
    // exchange is a minimum and a maximum.
    constexpr unsigned index_bits = 20;
    constexpr std::uint64_t one = 0x3ff0000000000000u;
    require(rows * w <= std::size_t{1} << index_bits, "a group of ", rows * w,
            " items, expected at most 2^20");
    const std::span<std::uint32_t> ranked = scratch.take<std::uint32_t>(rows * w);
    for (std::size_t at = 0; at < rows * w; ++at) ranked[at] = descending_key(x[at]);
    const std::span<double> keys = scratch.take<double>(all_rows * w);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t l = 0; l < w; ++l)
        keys[i * w + l] =
            std::bit_cast<double>(one | std::uint64_t{ranked[l * rows + i]} << index_bits | (l * rows + i));
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(rows * w), keys.end(), 2.0);
    sort_rows(
        all_rows, [&](std::size_t i) { return V::load_aligned(keys.data() + i * w); },
        [&](std::size_t i, const V& row) { row.store_aligned(keys.data() + i * w); },
        [](V& first, V& second) {
          const V f = xsimd::min(first, second);
          second = xsimd::max(first, second);
          first = f;
        });
    constexpr std::uint64_t index_mask = (std::uint64_t{1} << index_bits) - 1;
    for (std::size_t at = 0; at < rows * w; ++at)
      order[at] = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(keys[at]) & index_mask);
  } else {
    struct keyed_row {
      V key, index;
    };
    const std::span<double> keys = scratch.take<double>(all_rows * w);
    const std::span<double> indices = scratch.take<double>(all_rows * w);
    for (std::size_t l = 0; l < w; ++l)
      for (std::size_t i = 0; i < rows; ++i) {
        keys[i * w + l] = x[l * rows + i];
        indices[i * w + l] = static_cast<double>(l * rows + i);
      }
    // Added rows sort behind all items and behind the padding of a list: equal keys are ordered by their
    // indices.
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(rows * w), keys.end(),
              std::numeric_limits<double>::lowest());
    std::fill(indices.begin() + static_cast<std::ptrdiff_t>(rows * w), indices.end(),
              static_cast<double>(rows * w));
    sort_rows(
        all_rows,
        [&](std::size_t i) {
          return keyed_row{V::load_aligned(keys.data() + i * w), V::load_aligned(indices.data() + i * w)};
        },
        [&](std::size_t i, const keyed_row& row) {
          row.key.store_aligned(keys.data() + i * w);
          row.index.store_aligned(indices.data() + i * w);
        },
        [](keyed_row& first, keyed_row& second) {
          const auto swap = second.key > first.key || (second.key == first.key && second.index < first.index);
          const keyed_row f{xsimd::select(swap, second.key, first.key),
                            xsimd::select(swap, second.index, first.index)};
          second = {xsimd::select(swap, first.key, second.key),
                    xsimd::select(swap, first.index, second.index)};
          first = f;
        });
    // If the data are not checked, a NaN may leave added rows among the items. The first item of the list
    // then stands for them, so that no other list is affected.
    for (std::size_t at = 0; at < rows * w; ++at)
      order[at] = static_cast<std::uint32_t>(
          indices[at] < static_cast<double>(rows * w) ? indices[at] : static_cast<double>(at % w * rows));
  }

  for (std::size_t at = 0; at < rows * w; ++at) sorted_x[at] = static_cast<double>(x[order[at]]);
  plain_rows<Arch> sorted;
  sorted.rows.rows = sorted.rows.whole_rows = rows;
  sorted.rows.items = rows * w;
  sorted.rows.order = order;
  sorted.x = sorted_x;
  sorted.sizes = sizes_of<Arch>(lists);
  return sorted;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
