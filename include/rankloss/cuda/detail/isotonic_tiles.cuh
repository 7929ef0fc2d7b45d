// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/isotonic.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Isotonic regression of long lists over the grid: each tile is pooled by its block, and then tiles, pairs of
/// tiles and so on are joined two by two, as the halves of a segment are in pool_adjacent. How many launches that
/// takes depends on the items that a list may have.
///
/// `On` is what kernels are given of what projects; it has
///
///     scores_fall()            whether what is projected falls along the sorted scores
///     unit()                   that of falling_list
///     with_rule(falling, body) returns body(rule), a rule of pool_adjacent
template <class T, class R>
struct isotonic_tiles {
  score_order<T, R> order;
  T* x;  ///< [items] the sorted scores, as the next by position
  std::uint32_t *begin, *end;
  double *state, *after, *before;
  std::uint32_t* from;  ///< [tiles] where the pooled block at the beginning of a tile begins
  tile_scan<run_sum> sums;

  explicit isotonic_tiles(tile_arrays& memory)
      : order(memory),
        x(memory.of_items<T>()),
        begin(memory.of_items<std::uint32_t>()),
        end(memory.of_items<std::uint32_t>()),
        state(memory.of_items<double>()),
        after(memory.of_items<double>()),
        before(memory.of_items<double>()),
        from(memory.of_tiles<std::uint32_t>()),
        sums(memory) {}

  /// Arrays of a list.
  template <class On>
  [[nodiscard]] __device__ falling_list<T> falling(const On& on, const grid_list<T, R>& list) const {
    return {x + list.first, order.scores.indices[0] + list.first, list.size(), on.scores_fall(), on.unit()};
  }
  [[nodiscard]] __device__ pooled_blocks blocks(const grid_list<T, R>& list) const {
    return {begin + list.first, end + list.first, state + list.first};
  }

  /// Queues the sort and the regression. `after` and `before` are scratch from then on.
  template <class Grid, class On>
  void pool(const Grid& grid, const On& on) const {
    sort_by_bounded_score(grid, order);
    grid.tiles("isotonic: pool_tiles", pool_tiles<On>{on, *this});
    for (std::uint32_t half = 1; half < tiles_of(grid.longest()); half *= 2) {
      grid.tiles("isotonic: meet_halves", meet_halves<On>{on, *this, half});
      grid.tiles("isotonic: join_halves", join_halves<On>{on, *this, half});
    }
  }
  /// Queues what fills `before` with the sums of x(list, p) over the positions from the beginning of the block on;
  /// the last one of a block is that of the block.
  template <class Grid, class X>
  void sum_blocks(const Grid& grid, const X& x_of) const {
    grid.tiles("isotonic: sum_tiles", sum_tiles<X>{*this, x_of});
    grid.lists("isotonic: hand_on", hand_on{sums});
    grid.tiles("isotonic: find_sums", find_sums<X>{*this, x_of});
  }
  [[nodiscard]] __device__ double sum_of_block(const grid_list<T, R>& list, std::uint32_t p) const {
    return before[list.first + end[list.first + begin[list.first + p]] - 1];
  }

  template <class On>
  struct pool_tiles {
    On on;
    isotonic_tiles of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const falling_list<T> falling = of.falling(on, list);
      tile.for_own(team, [&](std::uint32_t p) {
        const std::uint32_t at = falling.at(p);
        of.x[list.first + at] = of.order.score(list, at);
      });
      team.sync();
      on.with_rule(falling, [&](const auto& rule) {
        // The sort leaves its second array of indices as scratch.
        pool_adjacent(team, tile.begin, tile.end, rule, of.blocks(list), of.after + list.first,
                      of.before + list.first, of.order.scores.indices[1] + list.first);
      });
    }
  };

  /// Calls body(seam) with that of the halves of so many tiles among which a tile is, where there are two.
  template <class On, class Body>
  __device__ void at_seam(const On& on, const grid_list<T, R>& list, std::uint32_t tile, std::uint32_t half,
                          Body body) const {
    const std::uint32_t both = tile / (2 * half) * (2 * half), tiles = list.tiles();
    if (tiles - both <= half) return;
    const falling_list<T> falling_scores = falling(on, list);
    const pooled_blocks of_list = blocks(list);
    const std::uint32_t next = tiles - both > 2 * half ? (both + 2 * half) * tile_items : list.size();
    on.with_rule(falling_scores, [&](const auto& rule) {
      body(
          seam<std::remove_const_t<std::remove_reference_t<decltype(rule)>>>{
              rule, of_list, after + list.first, before + list.first, both * tile_items,
              (both + half) * tile_items, next},
          from + list.tile + both + half);
    });
  }

  template <class On>
  struct meet_halves {
    On on;
    isotonic_tiles of;
    std::uint32_t half;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      if (tile.index % (2 * half) != half || team.rank() >= warp_size) return;
      of.at_seam(on, list, tile.index, half, [&](const auto& at, std::uint32_t* found) {
        const warp_team warp;
        const std::uint32_t l = at.meet(warp);
        if (warp.rank() == 0) *found = l;
      });
    }
  };

  template <class On>
  struct join_halves {
    On on;
    isotonic_tiles of;
    std::uint32_t half;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.at_seam(on, list, tile.index, half, [&](const auto& at, const std::uint32_t* found) {
        const std::uint32_t l = *found;
        tile.for_own(team, [&](std::uint32_t p) { at.join(l, p); });
      });
    }
  };

  /// Scans x over a tile, from `first` on.
  template <class Team, class X, class Put>
  __device__ run_sum scan_blocks(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                 const X& x_of, Put put, const run_sum& first) const {
    return scan_items(
        team, tile.size(), run_sum::none(),
        [&](std::uint32_t k) {
          const std::uint32_t p = tile.begin + k;
          return run_sum{x_of(list, p), begin[list.first + p] == p ? 1.0 : 0.0};
        },
        run_sum::joined, [&](std::uint32_t k, const run_sum& sum) { put(tile.begin + k, sum.sum); }, first);
  }

  template <class X>
  struct sum_tiles {
    isotonic_tiles of;
    X x_of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.sums.leave(team, list, tile,
                    of.scan_blocks(
                        team, list, tile, x_of, [](std::uint32_t, double) {}, run_sum::none()));
    }
  };

  struct hand_on {
    tile_scan<run_sum> sums;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      sums.hand_on(team, list, run_sum::none(), run_sum::joined);
    }
  };

  template <class X>
  struct find_sums {
    isotonic_tiles of;
    X x_of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      (void)of.scan_blocks(
          team, list, tile, x_of, [&](std::uint32_t p, double sum) { of.before[list.first + p] = sum; },
          of.sums.of(list, tile));
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
