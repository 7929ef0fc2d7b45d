// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Some items of long lists, as lists of their own over which steps can go: those that the loss `chooses`, in
/// their order. A list of which it chooses none is left out.
template <class T, class R>
struct chosen_items {
  long_list* lists;     ///< [lists]
  std::uint32_t* kept;  ///< [items] which are chosen
  tile_scan<std::uint32_t> counts;

  explicit chosen_items(tile_arrays& from)
      : lists(from.of_lists<long_list>()), kept(from.of_items<std::uint32_t>()), counts(from) {}

  /// Finds them, and returns what queues steps over them.
  template <class Grid>
  [[nodiscard]] Grid choose(const Grid& grid) const {
    grid.clear(lists);
    grid.tiles("chosen_items: count", count{*this});
    grid.lists("chosen_items: hand_on", hand_on{*this});
    grid.tiles("chosen_items: keep", keep{*this});
    return grid.over(lists, kept);
  }

  [[nodiscard]] static __device__ std::uint32_t add(std::uint32_t a, std::uint32_t b) { return a + b; }

  struct count {
    chosen_items of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      std::uint32_t own = 0;
      tile.for_own(team, [&](std::uint32_t i) { own += loss.chooses(list.items, i) ? 1u : 0u; });
      of.counts.leave(team, list, tile, sum(team, own));
    }
  };

  struct hand_on {
    chosen_items of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const std::uint32_t chosen = of.counts.hand_on(team, list, std::uint32_t{0}, add);
      if (team.rank() == 0)
        of.lists[list.at] = {list.items.number, list.first, no_fault, list.size(), chosen};
    }
  };

  struct keep {
    chosen_items of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto chosen = [&](std::uint32_t k) {
        return std::uint32_t{loss.chooses(list.items, tile.begin + k) ? 1u : 0u};
      };
      scan_items(
          team, tile.size(), std::uint32_t{0}, chosen, add,
          [&](std::uint32_t k, std::uint32_t up_to) {
            if (chosen(k) == 0) return;
            of.kept[list.first + up_to - 1] =
                static_cast<std::uint32_t>(list.items.at(tile.begin + k) - list.first);
          },
          of.counts.of(list, tile));
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
