// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/distance_sums.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Which distances, for distance_steps.
struct distance_kind {
  double scale;           ///< 1 / temperature
  std::uint64_t squared;  ///< not 0: by squares of distances

  [[nodiscard]] __device__ double decay(double upper, double lower) const {
    return passed_sums::decay_between(scale, upper, lower);
  }
};

/// distance_sums of long lists, over the grid: the scans by tiles, the walks a row each thread. Weights,
/// rests and values are w(list, p), r(list, p), v(list, p) by position, as structs that kernels are given by
/// value.
template <class T, class R>
struct distance_steps {
  score_order<T, R> order;
  passed_sums passed;  ///< [items]
  two_way_scan masses, moves;

  explicit distance_steps(tile_arrays& from)
      : order(from),
        passed{from.of_items<double>(), from.of_items<double>(), from.of_items<double>(),
               from.of_items<double>(), from.of_items<double>()},
        masses(from),
        moves(from) {}

  template <class Grid>
  void prepare(const Grid& grid, const distance_kind& kind) const {
    sort_by_bounded_score(grid, order);
    if (kind.squared == 0)
      grid.tiles("distances: fill_decays",
                 fill_decays<distance_kind, score_order<T, R>>{kind, order, passed.decay});
  }
  /// Calls emit(list, p, sums, sided sums) on the device for each position.
  template <class Grid, class Weight, class Rest, class Value, class Emit>
  void for_items(const Grid& grid, const distance_kind& kind, const Weight& w, const Rest& r, const Value& v,
                 const Emit& emit) const {
    const terms<Weight, Rest, Value> of_items{w, r, v};
    if (kind.squared != 0) {
      grid.rows("distances: walk_rows", walk_rows<Weight, Rest, Value, Emit>{kind, *this, of_items, emit});
      return;
    }
    grid.tiles("distances: sum_masses", sum_masses<Weight>{*this, w});
    grid.lists("distances: hand_on", hand_on_both{masses});
    grid.tiles("distances: sum_moves", sum_moves<Weight, Rest, Value>{*this, of_items});
    grid.lists("distances: hand_on", hand_on_both{moves});
    grid.tiles("distances: keep_sums", keep_sums<Weight, Rest, Value>{*this, of_items});
    grid.tiles("distances: meet_sums", meet_sums<Weight, Rest, Value, Emit>{*this, of_items, emit});
  }

  template <class Weight, class Rest, class Value>
  struct terms {
    Weight w;
    Rest r;
    Value v;

    /// Returns body(w, r, v), which are those of the items of a list.
    template <class Body>
    __device__ decltype(auto) of(const grid_list<T, R>& list, Body body) const {
      return body([&](std::uint32_t p) { return w(list, p); }, [&](std::uint32_t p) { return r(list, p); },
                  [&](std::uint32_t p) { return v(list, p); });
    }
  };

  [[nodiscard]] __device__ laplace_scans scans(const grid_list<T, R>& list) const {
    return {list.size(), passed.decay + list.first};
  }

  template <class Weight>
  struct sum_masses {
    distance_steps of;
    Weight w;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      const auto weight = [&](std::uint32_t p) { return w(list, p); };
      of.masses.down.leave(team, list, tile, scans.down(tile).mass_of_all(team, weight));
      of.masses.up.leave(team, list, tile, scans.up(tile).mass_of_all(team, weight));
    }
  };

  template <class Weight, class Rest, class Value>
  struct sum_moves {
    distance_steps of;
    terms<Weight, Rest, Value> items;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      items.of(list, [&](auto w, auto r, auto v) {
        of.moves.down.leave(team, list, tile,
                            scans.down(tile, of.masses.down.of(list, tile).sum).moved_of_all(team, w, r, v));
        of.moves.up.leave(team, list, tile,
                          scans.up(tile, of.masses.up.of(list, tile).sum).moved_of_all(team, w, r, v));
      });
    }
  };

  template <class Weight, class Rest, class Value>
  struct keep_sums {
    distance_steps of;
    terms<Weight, Rest, Value> items;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      const passed_sums kept = of.passed.from(list.first);
      items.of(list, [&](auto w, auto r, auto v) {
        scans.down(tile, of.masses.down.of(list, tile).sum, of.moves.down.of(list, tile).sum)
            .sum_moved(team, w, r, v, [&](std::uint32_t p, double mass, double moved) {
              kept.above_mass[p] = mass;
              kept.above_moved[p] = moved;
            });
        scans.up(tile, of.masses.up.of(list, tile).sum, of.moves.up.of(list, tile).sum)
            .sum_moved(team, w, r, v, [&](std::uint32_t p, double mass, double moved) {
              kept.below_mass[p] = mass;
              kept.below_moved[p] = moved;
            });
      });
    }
  };

  template <class Weight, class Rest, class Value, class Emit>
  struct meet_sums {
    distance_steps of;
    terms<Weight, Rest, Value> items;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto runs = of.order.runs(list);
      const passed_sums kept = of.passed.from(list.first);
      items.of(list, [&](auto w, auto r, auto v) {
        tile.for_own(team, [&](std::uint32_t p) {
          kept.meet(p, runs.begin(p), runs.end(p) - 1, w, r, v,
                    [&](const kernel_sums& sums, const kernel_sums& sided) { emit(list, p, sums, sided); });
        });
      });
    }
  };

  template <class Weight, class Rest, class Value, class Emit>
  struct walk_rows {
    distance_kind kind;
    distance_steps of;
    terms<Weight, Rest, Value> items;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto score = [&](std::uint32_t p) { return static_cast<double>(of.order.score(list, p)); };
      items.of(list, [&](auto w, auto r, auto v) {
        part.for_own(team, [&](std::uint32_t p) {
          walk_within_reach<T>(
              p, list.size(), kind.scale, score, w, r, v,
              [&](const kernel_sums& sums, const kernel_sums& sided) { emit(list, p, sums, sided); });
        });
      });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
