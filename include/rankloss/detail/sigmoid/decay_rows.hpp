// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Decays between neighbours: that of item i is exp(-scale (x_{i-1} - x_i)), or `equal` where the two scores
/// are equal, and 0 for the first item and behind the last one. x is sorted, descending.
/// @param to  [items + 1] those of a range of the items and of what is behind it
template <class Arch, class T>
void fill_neighbour_decays(std::span<const T> x, item_range items, double scale, double equal, double* to) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = x.size();
  const auto between = [scale, equal](const T* upper, const T* lower) {
    const V gap = load_row<Arch>(upper) - load_row<Arch>(lower);
    return xsimd::select(gap > V(0.0), exp_minus(gap * V(scale)), V(equal));
  };
  const T* const from = x.data();
  to[0] = 0.0;
  to[items.size()] = 0.0;
  const std::size_t end = std::min(items.end + 1, n);
  std::size_t i = std::max<std::size_t>(items.begin, 1);
  if (i >= end) return;
  to += i - items.begin;
  for (; i + w <= end; i += w, to += w) between(from + i - 1, from + i).store_unaligned(to);
  T tail[w + 1]{};
  alignas(64) double last[w];
  for (std::size_t l = 0; i - 1 + l < end; ++l) tail[l] = from[i - 1 + l];
  between(tail, tail + 1).store_aligned(last);
  for (std::size_t l = 0; i < end; ++i, ++l) to[l] = last[l];
}

/// The decays of a whole list.
template <class Arch, class T>
[[nodiscard]] std::span<const double> neighbour_decays(std::span<const T> x, double scale, double equal,
                                                       workspace& scratch) {
  const std::span<double> decay = scratch.take<double>(x.size() + 1);
  fill_neighbour_decays<Arch>(x, {0, x.size()}, scale, equal, decay.data());
  return decay;
}

/// Lays one sorted list over all lanes, one stretch per lane.
template <class Arch, class T>
[[nodiscard]] sorted_rows<Arch> lay_in_rows(const sorted_list<T>& by_score, double temperature,
                                            workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = by_score.x.size();
  const std::size_t rows = (n + w - 1) / w;
  const double scale = 1.0 / temperature;
  const auto x = [&](std::size_t at) { return static_cast<double>(by_score.x[at]); };

  sorted_rows<Arch> sorted;
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(rows * w);
  const std::span<double> decay = scratch.take<double>((rows + 1) * w);
  // Rows in which the last lane holds an item have an item in every lane.
  sorted.whole_rows = n > (w - 1) * rows ? n - (w - 1) * rows : 0;
  {
    // Decays are formed in the order of the scores, where neighbours lie side by side, and then moved. They
    // are 0 into padding and at both ends of the list, so that nothing acts across them.
    const workspace::scope forming(scratch);
    const double* const by_position = neighbour_decays<Arch, T>(by_score.x, scale, 1.0, scratch).data();
    const std::uint32_t* const item = by_score.order.data();
    for (std::size_t i = 0; i < sorted.whole_rows; ++i)
      for (std::size_t l = 0; l < w; ++l) {
        decay[i * w + l] = by_position[l * rows + i];
        order[i * w + l] = item[l * rows + i];
      }
    for (std::size_t i = sorted.whole_rows; i <= rows; ++i)
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t at = l * rows + i;
        decay[i * w + l] = at < n ? by_position[at] : 0.0;
        if (i < rows) order[i * w + l] = at < n ? item[at] : static_cast<std::uint32_t>(n);
      }
  }

  // Items further than `reach` from the item at the end of their stretch are negligible beside that item,
  // however far away the neighbouring stretch is; for term k a k-th part of that suffices.
  stretches& seams = sorted.seams;
  const double reach = (kernel_constants<T>::reach + std::log(static_cast<double>(n))) * temperature;
  constexpr double parts[3] = {1.0, 3.0, static_cast<double>(kernel_constants<T>::count / 2 + 1)};
  seams.warm_down.fill(rows);
  seams.warm_up.fill(0);
  alignas(64) double down[w],
      up[w];  // distances from the first item of a lane to that of the next one, and so on
  std::fill_n(down, w, 1e300);
  std::fill_n(up, w, 1e300);
  for (std::size_t l = 0; l < w; ++l) {
    const std::size_t first = std::min(l * rows, n);
    const std::size_t last = std::min(first + rows, n);
    if (first == last) continue;
    const auto begin = by_score.x.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = by_score.x.begin() + static_cast<std::ptrdiff_t>(last);
    if (last < n) {
      down[l] = scale * (x(first) - x(last));
      // A search is needed only where the row before those that are kept for other lanes is within reach too.
      for (std::size_t part = 0; part < 3; ++part) {
        std::size_t& kept = seams.warm_down[part];
        const auto beyond = [&, own = reach / parts[part]](T s) {
          return static_cast<double>(s) - x(last - 1) > own;
        };
        if (kept > 0 && (kept > last - first || !beyond(begin[static_cast<std::ptrdiff_t>(kept - 1)])))
          kept = static_cast<std::size_t>(std::partition_point(begin, end, beyond) - begin);
      }
    }
    if (first > 0) {
      up[l] = scale * (x(first - 1) - x(last - 1));
      for (std::size_t part = 0; part < 3; ++part) {
        std::size_t& kept = seams.warm_up[part];
        const auto within = [&, own = reach / parts[part]](T s) {
          return x(first) - static_cast<double>(s) <= own;
        };
        if (kept < last - first && within(begin[static_cast<std::ptrdiff_t>(kept)]))
          kept = static_cast<std::size_t>(std::partition_point(begin, end, within) - begin);
      }
    }
  }

  exp_minus(lanes<Arch>::load_aligned(down)).store_unaligned(seams.decay_down.data());
  exp_minus(lanes<Arch>::load_aligned(up)).store_unaligned(seams.decay_up.data());

  alignas(64) double rank_of_first[w];
  for (std::size_t l = 0; l < w; ++l) rank_of_first[l] = static_cast<double>(l * rows + 1);
  sorted.rows = rows;
  sorted.items = n;
  sorted.order = order;
  sorted.decay = decay;
  sorted.rank_of_first = lanes<Arch>::load_aligned(rank_of_first);
  sorted.single = true;
  return sorted;
}

/// Sorts up to `lane_count` lists, one per lane, and computes the decay from row to row.
template <class Arch, class T, class R>
[[nodiscard]] sorted_rows<Arch> sort_group(std::span<const list<T, R>> lists, double temperature,
                                           workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const plain_rows<Arch> sorted = sort_lanes<Arch, T, R>(lists, scratch);
  sorted_rows<Arch> group = sorted.rows;
  const std::span<double> decay = scratch.take<double>((group.rows + 1) * w);
  // The decay into padding is 0, so that padding acts neither on items nor on itself.
  const V scale(1.0 / temperature);
  for (std::size_t i = 1; i < group.rows; ++i) {
    const V gap =
        (V::load_aligned(sorted.x.data() + (i - 1) * w) - V::load_aligned(sorted.x.data() + i * w)) * scale;
    xsimd::select(sorted.holds(i), exp_minus(gap), V(0.0)).store_aligned(decay.data() + i * w);
  }
  V(0.0).store_aligned(decay.data());
  V(0.0).store_aligned(decay.data() + group.rows * w);
  group.decay = decay;
  return group;
}

/// Scans all rows downwards. `emit(i, states)` receives, for the item of each lane in row i, the states of
/// all items of its list that are above it: where one list lies over all lanes, each lane begins with what
/// the lanes before it hand on.
template <std::size_t K, std::size_t C, class Arch, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_rows_down(const sorted_rows<Arch>& in, Weights weights, Emit emit) {
  scan_states<Arch, K> states[C];
  if (in.single) {
    const auto [all, some, second_half] = in.seams.warm_down;
    scan_down<2>(in.decay.data(), all, some, states, weights, no_output);
    scan_down<K / 2>(in.decay.data(), some, second_half, states, weights, no_output);
    scan_down<K>(in.decay.data(), second_half, in.rows, states, weights, no_output);
    link_lanes<true>(states, in.seams.decay_down);
  }
  scan_down<K>(in.decay.data(), 0, in.rows, states, weights, std::move(emit));
}

/// The same upwards, with the states of all items below.
template <std::size_t K, std::size_t C, class Arch, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_rows_up(const sorted_rows<Arch>& in, Weights weights, Emit emit) {
  scan_states<Arch, K> states[C];
  if (in.single) {
    const auto [all, some, second_half] = in.seams.warm_up;
    scan_up<2>(in.decay.data(), some, all, states, weights, no_output);
    scan_up<K / 2>(in.decay.data(), second_half, some, states, weights, no_output);
    scan_up<K>(in.decay.data(), 0, second_half, states, weights, no_output);
    link_lanes<false>(states, in.seams.decay_up);
  }
  scan_up<K>(in.decay.data(), 0, in.rows, states, weights, std::move(emit));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
