// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A scan of long lists over the grid, by an associative operation: a step over tiles leaves the combination of
/// the items of each; a step over lists scans these; and a later step over tiles scans the items of each, by
/// scan_items with what is `before` it.
template <class X>
struct tile_scan {
  X* part;    ///< [tiles]
  X* before;  ///< [tiles] of the tiles before each, or behind it where a scan goes backwards

  explicit tile_scan(tile_arrays& from) : part(from.of_tiles<X>()), before(from.of_tiles<X>()) {}

  /// The combination of the items of a tile, the same for every thread.
  template <class Team, class T, class R>
  __device__ void leave(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                        const X& x) const {
    if (team.rank() == 0) part[list.tile + tile.index] = x;
  }
  /// Returns the combination of all items.
  template <class Team, class T, class R, class Combine>
  __device__ X hand_on(const Team& team, const grid_list<T, R>& list, const X& neutral, Combine combine,
                       bool backwards = false) const {
    const std::uint32_t n = list.tiles();
    const auto at = [&](std::uint32_t t) { return list.tile + (backwards ? n - 1 - t : t); };
    if (team.rank() == 0) before[at(0)] = neutral;
    return scan_items(
        team, n, neutral, [&](std::uint32_t t) { return part[at(t)]; }, combine,
        [&](std::uint32_t t, const X& x) {
          if (t + 1 < n) before[at(t + 1)] = x;
        });
  }
  template <class T, class R>
  [[nodiscard]] __device__ X of(const grid_list<T, R>& list, const grid_tile& tile) const {
    return before[list.tile + tile.index];
  }
};

/// Sums over the items of each tile, and over those of a list.
struct tile_sums {
  double* sums;  ///< [tiles]

  explicit tile_sums(tile_arrays& from) : sums(from.of_tiles<double>()) {}

  /// x of all threads of a tile.
  template <class Team, class T, class R>
  __device__ void leave(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                        double x) const {
    x = sum(team, x);
    if (team.rank() == 0) sums[list.tile + tile.index] = x;
  }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ double of(const Team& team, const grid_list<T, R>& list) const {
    double own = 0.0;
    for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size()) own += sums[list.tile + t];
    return sum(team, own);
  }
};
/// The same of greatest numbers, of which none is below 0.
struct tile_maxima {
  double* maxima;  ///< [tiles]

  explicit tile_maxima(tile_arrays& from) : maxima(from.of_tiles<double>()) {}

  template <class Team, class T, class R>
  __device__ void leave(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                        double x) const {
    x = greatest(team, x);
    if (team.rank() == 0) maxima[list.tile + tile.index] = x;
  }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ double of(const Team& team, const grid_list<T, R>& list) const {
    double own = 0.0;
    for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size())
      own = fmax(own, maxima[list.tile + t]);
    return greatest(team, own);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
