// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Scores sorted, descending and stable, and laid in rows of lanes for the scans of sorted_sums.hpp: either one long list, cut into one
/// stretch a lane, or several short lists, one a lane. What is computed of a short list does not depend on the others.
///
/// "Items" below are numbered as they lie in memory: item i of a single list is i; item i of list l of a group is l * rows + i, so that
/// each list has room for `rows` items, of which those beyond its size are padding.
template <class Arch>
struct sorted_rows {
  static constexpr std::size_t w = lane_count<Arch>;

  std::size_t rows = 0;
  std::size_t whole_rows = 0;                 ///< rows in which every lane holds an item (or a group's padding)
  std::size_t items = 0;                      ///< size of arrays over items
  std::span<const std::uint32_t> order;       ///< [rows][lanes] which item; beyond the whole rows, `items` where a lane has ended
  std::span<const double> decay;              ///< [rows + 1][lanes] exp(-(x_{i-1} - x_i)) in units of temperature; 0 across a lane's end
  lanes<Arch> first_rank = lanes<Arch>(1.0);  ///< [lanes] hard rank of the lane's first item
  bool single = false;                        ///< one list over all lanes: its scans start from `seams`
  stretches seams{};

  /// rows[i][l] = values[order[i][l]], 0 where a lane has ended.
  template <class S, class Row>
  void gather(const S* values, Row* to) const noexcept {
    for (std::size_t i = 0; i < whole_rows; ++i)
      for (std::size_t l = 0; l < w; ++l) to[i * w + l] = static_cast<Row>(values[order[i * w + l]]);
    for (std::size_t at = whole_rows * w; at < rows * w; ++at) to[at] = order[at] < items ? static_cast<Row>(values[order[at]]) : Row{0};
  }

  /// values[order[i][l]] = row[l]
  template <class T>
  [[gnu::always_inline]] void scatter(std::size_t i, const lanes<Arch>& row, const strided<T>& values) const noexcept {
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

/// One list, sorted.
template <class T>
struct sorted_list {
  std::span<const T> x;                  ///< [n] scores, descending
  std::span<const std::uint32_t> order;  ///< [n] which item
};

template <class T>
[[nodiscard]] sorted_list<T> sort_list(const strided<const T>& scores, workspace& scratch) {
  using record = keyed<key_of<T>, std::uint32_t>;
  const std::size_t n = scores.size();
  require_countable(n);
  const std::span<T> x = scratch.take<T>(n);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
  const workspace::scope sorting(scratch);
  std::span<record> records = scratch.take<record>(n);
  for (std::size_t i = 0; i < n; ++i) records[i] = {descending_key(bounded(scores[i])), static_cast<std::uint32_t>(i)};
  records = sort_by_key(records, scratch.take<record>(n), scratch);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = value_of<T>(records[i].key);
    order[i] = records[i].payload;
  }
  return {x, order};
}

/// [n + 1] exp(-scale (x_{i-1} - x_i)) at i, `equal` where the two are equal, 0 at both ends; x falls.
template <class Arch, class T>
[[nodiscard]] std::span<const double> neighbour_decays(std::span<const T> x, double scale, double equal, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = x.size();
  const std::span<double> decay = scratch.take<double>(n + 1);
  const auto between = [scale, equal](const T* upper, const T* lower) {
    const V gap = load_row<Arch>(upper) - load_row<Arch>(lower);
    return xsimd::select(gap > V(0.0), exp_minus(gap * V(scale)), V(equal));
  };
  std::size_t i = 1;
  for (; i + w <= n; i += w) between(x.data() + i - 1, x.data() + i).store_unaligned(decay.data() + i);
  T rest[w + 1]{};
  alignas(64) double last[w];
  for (std::size_t l = 0; i - 1 + l < n; ++l) rest[l] = x[i - 1 + l];
  between(rest, rest + 1).store_aligned(last);
  for (std::size_t l = 0; i < n; ++i, ++l) decay[i] = last[l];
  decay[0] = decay[n] = 0.0;
  return decay;
}

/// One list over all lanes.
template <class Arch, class T>
[[nodiscard]] sorted_rows<Arch> lay_in_rows(const sorted_list<T>& list, double temperature, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = list.x.size();
  const std::size_t rows = (n + w - 1) / w;
  const double scale = 1.0 / temperature;
  const auto x = [&](std::size_t at) { return static_cast<double>(list.x[at]); };

  sorted_rows<Arch> sorted;
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(rows * w);
  const std::span<double> decay = scratch.take<double>((rows + 1) * w);
  // Rows in which the last lane still holds an item have no gap in any lane.
  sorted.whole_rows = n > (w - 1) * rows ? n - (w - 1) * rows : 0;
  // Into padding and across a lane's end the decay is 0: what is there acts on nothing.
  alignas(64) double current[w];
  alignas(64) double kept[w];
  for (std::size_t l = 0; l < w; ++l) current[l] = l > 0 && l * rows <= n ? x(l * rows - 1) : x(0);
  V upper = V::load_aligned(current);
  for (std::size_t i = 0; i <= rows; ++i) {
    if (i < sorted.whole_rows) {
      for (std::size_t l = 0; l < w; ++l) {
        current[l] = x(l * rows + i);
        kept[l] = l * rows + i > 0 ? 1.0 : 0.0;
        order[i * w + l] = list.order[l * rows + i];
      }
    } else {
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t at = l * rows + i;
        current[l] = at < n ? x(at) : x(n - 1);
        kept[l] = at > 0 && at < n ? 1.0 : 0.0;
        if (i < rows) order[i * w + l] = at < n ? list.order[at] : static_cast<std::uint32_t>(n);
      }
    }
    const V lower = V::load_aligned(current);
    (exp_minus((upper - lower) * V(scale)) * V::load_aligned(kept)).store_aligned(decay.data() + i * w);
    upper = lower;
  }

  // What is out of reach of the stretch's own nearest item is nothing beside it, however far the next stretch is.
  stretches& seams = sorted.seams;
  const double reach = (kernel_terms<T>::reach + std::log(static_cast<double>(n))) * temperature;
  seams.warm_down = rows;
  seams.warm_up = 0;
  for (std::size_t l = 0; l < w; ++l) {
    const std::size_t first = std::min(l * rows, n);
    const std::size_t last = std::min(first + rows, n);
    seams.decay_down[l] = seams.decay_up[l] = 0.0;
    if (first == last) continue;
    const auto begin = list.x.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = list.x.begin() + static_cast<std::ptrdiff_t>(last);
    if (last < n) {
      const double next = x(last);
      seams.decay_down[l] = std::exp(-scale * (x(first) - next));
      const auto near = std::partition_point(begin, end, [&](T s) { return static_cast<double>(s) - x(last - 1) > reach; });
      seams.warm_down = std::min(seams.warm_down, static_cast<std::size_t>(near - begin));
    }
    if (first > 0) {
      const double before = x(first - 1);
      seams.decay_up[l] = std::exp(-scale * (before - x(last - 1)));
      const auto far = std::partition_point(begin, end, [&](T s) { return x(first) - static_cast<double>(s) <= reach; });
      seams.warm_up = std::max(seams.warm_up, static_cast<std::size_t>(far - begin));
    }
  }

  alignas(64) double first_rank[w];
  for (std::size_t l = 0; l < w; ++l) first_rank[l] = static_cast<double>(l * rows + 1);
  sorted.rows = rows;
  sorted.items = n;
  sorted.order = order;
  sorted.decay = decay;
  sorted.first_rank = V::load_aligned(first_rank);
  sorted.single = true;
  return sorted;
}

/// Scores of up to `lane_count` lists, [lane][row]; padding is below no score and behind all.
template <class Arch, class T, class R>
[[nodiscard]] std::span<T> lay_in_lanes(std::span<const list<T, R>> lists, std::size_t rows, workspace& scratch) {
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

/// Rows and the scores in them, [row][lane]; the lowest number where a list has ended.
template <class Arch>
struct plain_rows {
  sorted_rows<Arch> rows;
  std::span<const double> x;
  lanes<Arch> sizes = lanes<Arch>(0.0);  ///< items of each lane's list

  /// Which lanes hold an item in row i.
  [[nodiscard]] auto holds(std::size_t i) const noexcept { return sizes > lanes<Arch>(static_cast<double>(i)); }
};

/// Items of up to `lane_count` lists, 0 in the lanes beyond.
template <class Arch, class T, class R>
[[nodiscard]] lanes<Arch> sizes_of(std::span<const list<T, R>> lists) noexcept {
  alignas(64) double sizes[lane_count<Arch>]{};
  for (std::size_t l = 0; l < lists.size(); ++l) sizes[l] = static_cast<double>(lists[l].size());
  return lanes<Arch>::load_aligned(sizes);
}

/// Up to `lane_count` lists as they are, for the plain O(n^2) form.
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

/// Up to `lane_count` lists, sorted: rows without decay, and the scores in them, [row][lane].
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
    // Key and position share the digits of a double in [1, 2): one comparison decides both, and an exchange is a minimum and a maximum.
    constexpr unsigned place_bits = 20;
    constexpr std::uint64_t one = 0x3ff0000000000000u;
    require(rows * w <= std::size_t{1} << place_bits, "a group of ", rows * w, " items, expected at most 2^20");
    const std::span<std::uint32_t> ranked = scratch.take<std::uint32_t>(rows * w);
    for (std::size_t at = 0; at < rows * w; ++at) ranked[at] = descending_key(x[at]);
    const std::span<double> keys = scratch.take<double>(all_rows * w);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t l = 0; l < w; ++l)
        keys[i * w + l] = std::bit_cast<double>(one | std::uint64_t{ranked[l * rows + i]} << place_bits | (l * rows + i));
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(rows * w), keys.end(), 2.0);
    sort_rows(
        all_rows, [&](std::size_t i) { return V::load_aligned(keys.data() + i * w); },
        [&](std::size_t i, const V& row) { row.store_aligned(keys.data() + i * w); },
        [](V& first, V& second) {
          const V f = xsimd::min(first, second);
          second = xsimd::max(first, second);
          first = f;
        });
    constexpr std::uint64_t place_mask = (std::uint64_t{1} << place_bits) - 1;
    for (std::size_t at = 0; at < rows * w; ++at) order[at] = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(keys[at]) & place_mask);
  } else {
    struct keyed_row {
      V key, place;
    };
    const std::span<double> keys = scratch.take<double>(all_rows * w);
    const std::span<double> places = scratch.take<double>(all_rows * w);
    for (std::size_t l = 0; l < w; ++l)
      for (std::size_t i = 0; i < rows; ++i) {
        keys[i * w + l] = x[l * rows + i];
        places[i * w + l] = static_cast<double>(l * rows + i);
      }
    // Behind every item, as the padding of a list is, too: equal keys are told apart by their places.
    std::fill(keys.begin() + static_cast<std::ptrdiff_t>(rows * w), keys.end(), std::numeric_limits<double>::lowest());
    std::fill(places.begin() + static_cast<std::ptrdiff_t>(rows * w), places.end(), static_cast<double>(rows * w));
    sort_rows(
        all_rows,
        [&](std::size_t i) {
          return keyed_row{V::load_aligned(keys.data() + i * w), V::load_aligned(places.data() + i * w)};
        },
        [&](std::size_t i, const keyed_row& row) {
          row.key.store_aligned(keys.data() + i * w);
          row.place.store_aligned(places.data() + i * w);
        },
        [](keyed_row& first, keyed_row& second) {
          const auto swap = second.key > first.key || (second.key == first.key && second.place < first.place);
          const keyed_row f{xsimd::select(swap, second.key, first.key), xsimd::select(swap, second.place, first.place)};
          second = {xsimd::select(swap, first.key, second.key), xsimd::select(swap, first.place, second.place)};
          first = f;
        });
    // A NaN that nobody checked for may have left padding among the items: the first of the list stands for it, so that no other list is touched.
    for (std::size_t at = 0; at < rows * w; ++at)
      order[at] = static_cast<std::uint32_t>(places[at] < static_cast<double>(rows * w) ? places[at] : static_cast<double>(at % w * rows));
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

/// The same, with the decay from row to row.
template <class Arch, class T, class R>
[[nodiscard]] sorted_rows<Arch> sort_group(std::span<const list<T, R>> lists, double temperature, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const plain_rows<Arch> sorted = sort_lanes<Arch, T, R>(lists, scratch);
  sorted_rows<Arch> group = sorted.rows;
  const std::span<double> decay = scratch.take<double>((group.rows + 1) * w);
  // 0 into padding, so that it acts on nothing and not on itself.
  const V scale(1.0 / temperature);
  for (std::size_t i = 1; i < group.rows; ++i) {
    const V gap = (V::load_aligned(sorted.x.data() + (i - 1) * w) - V::load_aligned(sorted.x.data() + i * w)) * scale;
    xsimd::select(sorted.holds(i), exp_minus(gap), V(0.0)).store_aligned(decay.data() + i * w);
  }
  V(0.0).store_aligned(decay.data());
  V(0.0).store_aligned(decay.data() + group.rows * w);
  group.decay = decay;
  return group;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
