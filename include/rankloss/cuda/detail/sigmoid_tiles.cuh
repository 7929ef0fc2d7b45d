// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Sums of a sigmoid over all pairs of a long list that is sorted, by scans over the grid. What a scan needs at
/// the beginning of a tile is made in two steps: each tile sums up what it hands on, downwards and upwards,
/// and then the parts of a list are scanned. After that each tile scans its own items. K: states of the scans.
template <class T, std::size_t K = rankloss::detail::kernel_terms<T>::count>
struct sigmoid_tiles {
  using N = state_number<T>;
  using part = scan_part<K, N>;
  using states = exponential_states<K, N>;

  N* decay;                         ///< [items] from item i - 1 to item i
  T* above;                         ///< [items] scratch of scans
  part *down, *up;                  ///< [tiles] what each hands on
  states *from_above, *from_below;  ///< [tiles] what each is handed

  explicit sigmoid_tiles(tile_arrays& from) : sigmoid_tiles(from, from.of_items<N>(), from.of_items<T>()) {}
  sigmoid_tiles(tile_arrays& from, N* decay, T* above)
      : decay(decay),
        above(above),
        down(from.of_tiles<part>()),
        up(from.of_tiles<part>()),
        from_above(from.of_tiles<states>()),
        from_below(from.of_tiles<states>()) {}

  /// Fills the decays of a tile; x(i): the i-th greatest score. Returns that to the next tile.
  template <class Team, class R, class X>
  [[nodiscard]] __device__ N fill_decays(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                         double temperature, X x) const {
    const auto between = score_decay<N>::of(temperature);
    const auto to = [&](std::uint32_t i) { return i > 0 && i < list.size() ? between(x(i - 1), x(i)) : N{}; };
    tile.for_own(team, [&](std::uint32_t i) { decay[list.first + i] = to(i); });
    team.sync();
    return to(tile.end);
  }
  /// The decay from a tile to the next one, once all are filled.
  template <class R>
  [[nodiscard]] __device__ N onward(const grid_list<T, R>& list, const grid_tile& tile) const {
    return tile.end < list.size() ? decay[list.first + tile.end] : N{};
  }

  /// Sums up what a tile hands on. weight(i) for items i of the tile.
  template <class Team, class R, class Weight>
  __device__ void sum_tile(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                           const N& onward, Weight weight) const {
    const N* const own = decay + list.first + tile.begin;
    const std::uint32_t n = tile.size(), last = tile.end - 1;
    const part downwards = part_of<K, N>(
        team, n, [&](std::uint32_t p) { return p + 1 < n ? own[p + 1] : onward; },
        [&](std::uint32_t p) { return weight(tile.begin + p); });
    const part upwards = part_of<K, N>(
        team, n, [&](std::uint32_t p) { return own[n - 1 - p]; },
        [&](std::uint32_t p) { return weight(last - p); });
    if (team.rank() != 0) return;
    down[list.tile + tile.index] = downwards;
    up[list.tile + tile.index] = upwards;
  }

  /// Hands the sums of all tiles of a list on.
  template <class Team, class R>
  __device__ void hand_on(const Team& team, const grid_list<T, R>& list) const {
    const std::size_t first = list.tile, last = first + list.tiles() - 1;
    scan_parts<K, N>(
        team, list.tiles(), [&](std::uint32_t t) -> const part& { return down[first + t]; },
        [&](std::uint32_t t, const states& own) { from_above[first + t] = own; });
    scan_parts<K, N>(
        team, list.tiles(), [&](std::uint32_t t) -> const part& { return up[last - t]; },
        [&](std::uint32_t t, const states& own) { from_below[last - t] = own; });
  }

  /// The sums of the items of a tile, whose arrays begin where the tile does.
  template <class R>
  [[nodiscard]] __device__ scan_sums<T, part_of_list<K, N>, K> sums(const grid_list<T, R>& list,
                                                                    const grid_tile& tile) const {
    const std::size_t begin = list.first + tile.begin;
    return {tile.size(), decay + begin, above + begin,
            part_of_list<K, N>{tile.begin, from_above + list.tile + tile.index,
                               from_below + list.tile + tile.index}};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
