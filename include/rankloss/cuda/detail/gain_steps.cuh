// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

/// Steps over the grid that losses of gains share.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The greatest numbers that the gains of long lists depend on.
struct gain_units {
  using numbers = gain_options::greatest_numbers;
  numbers *of_tiles, *of_lists;

  explicit gain_units(tile_arrays& from)
      : of_tiles(from.of_tiles<numbers>()), of_lists(from.of_lists<numbers>()) {}

  template <class T, class R>
  [[nodiscard]] __device__ const numbers& most(const grid_list<T, R>& list) const {
    return of_lists[list.at];
  }
  template <class T, class R>
  [[nodiscard]] __device__ gain_options::units of(const grid_list<T, R>& list) const {
    return gain_options::units::of(most(list), list.items.weighted());
  }
  /// The unit of the weights of relevant items.
  template <class T, class R>
  [[nodiscard]] __device__ double of_weights(const grid_list<T, R>& list) const {
    return most(list).weight_unit(list.items.weighted());
  }
};

/// Of the gains that a loss or its metric has, else of the relevance itself.
template <class T, class R>
struct find_greatest {
  gain_units of;

  template <class Team, class Compute>
  __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    gain_units::numbers own{0.0, 0.0};
    tile.for_own(team, [&](std::uint32_t i) {
      if constexpr (requires { loss.gains; })
        own.add(loss.gains, list.items, i);
      else if constexpr (requires { loss.metric.gains; })
        own.add(loss.metric.gains, list.items, i);
      else
        own.add(gain_options::linear(), list.items, i);
    });
    own = own.of_all(team);
    if (team.rank() == 0) of.of_tiles[list.tile + tile.index] = own;
  }
};
template <class T, class R>
struct take_greatest {
  gain_units of;

  template <class Team, class Compute>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
    const auto all = list.combine(team, of.of_tiles, gain_units::numbers{0.0, 0.0});
    if (team.rank() == 0) of.of_lists[list.at] = all;
  }
};
template <class T, class R, class Grid>
void find_units(const Grid& grid, const gain_units& of) {
  grid.tiles("gains: find_greatest", find_greatest<T, R>{of});
  grid.lists("gains: take_greatest", take_greatest<T, R>{of});
}

/// Numbers of the items of long lists, in falling order once they are sorted.
struct falling_numbers {
  sorted_arrays<std::uint64_t> sorted;

  explicit falling_numbers(tile_arrays& from) : sorted(sorted_arrays<std::uint64_t>::of(from, false)) {}

  template <class T, class R>
  __device__ void put(const grid_list<T, R>& list, std::uint32_t i, double x) const {
    sorted.keys[0][list.first + i] = falling_bits<double>::of(x);
  }
  /// What a thread sums up over the positions of a tile: share(runs, p) times the number at each.
  template <class Team, class T, class R, class Share>
  [[nodiscard]] __device__ double sum_own(const Team& team, const grid_list<T, R>& list,
                                          const grid_tile& tile, Share share) const {
    const key_runs<std::uint64_t> runs{sorted.keys[0] + list.first, list.size()};
    double own = 0.0;
    tile.for_own(
        team, [&](std::uint32_t p) { own += falling_bits<double>::number(runs.keys[p]) * share(runs, p); });
    return own;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
