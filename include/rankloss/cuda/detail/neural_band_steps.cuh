// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

/// Bands of long lists, over the grid: a thread for each row or column, as in the engine of one list.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The numbers of a score_order, by position.
template <class T, class R>
struct sorted_scores {
  score_order<T, R> order;

  [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
    return static_cast<double>(order.score(list, p));
  }
};

/// The gaps of a band between sorted numbers x(list, p).
template <class E, class Numbers>
struct fill_gaps {
  double scale;  ///< 1 / temperature
  Numbers x;
  E* gaps;  ///< [items]

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    tile.for_own(team, [&](std::uint32_t p) {
      if (p + 1 < list.size()) gaps[list.first + p] = neural_band<E>::gap(x(list, p), x(list, p + 1), scale);
    });
  }
};

/// neural_gradient over the grid, from what steps have left in `sums` and `moments`.
template <class T, class R>
struct neural_slopes {
  double *sums, *moments, *prefix;  ///< [items] by position
  tile_scan<double> up_to;

  explicit neural_slopes(tile_arrays& from)
      : sums(from.of_items<double>()),
        moments(from.of_items<double>()),
        prefix(from.of_items<double>()),
        up_to(from) {}

  /// Calls emit(list, i, slope) on the device for each item.
  template <class Grid, class Emit>
  void put(const Grid& grid, const score_order<T, R>& order, double temperature, const Emit& emit) const {
    grid.tiles("neural_slopes: sum_columns", sum_columns{*this});
    grid.lists("neural_slopes: hand_on", hand_on{*this});
    grid.tiles("neural_slopes: find_prefixes", find_prefixes{*this});
    grid.tiles("neural_slopes: put_slopes", put_slopes<Emit>{*this, order, temperature, emit});
  }

  [[nodiscard]] static __device__ double added(double a, double b) { return a + b; }
  /// Scans the columns of a tile. Returns the sum of all of them.
  template <class Team, class Put>
  __device__ double scan_tile(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                              double before, Put put) const {
    return scan_items(
        team, tile.size(), 0.0, [&](std::uint32_t k) { return sums[list.first + tile.begin + k]; }, added,
        [&](std::uint32_t k, double x) { put(tile.begin + k, x); }, before);
  }

  struct sum_columns {
    neural_slopes of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.up_to.leave(team, list, tile, of.scan_tile(team, list, tile, 0.0, [](std::uint32_t, double) {}));
    }
  };

  struct hand_on {
    neural_slopes of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.up_to.hand_on(team, list, 0.0, added);
    }
  };

  struct find_prefixes {
    neural_slopes of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.scan_tile(team, list, tile, of.up_to.of(list, tile),
                   [&](std::uint32_t p, double x) { of.prefix[list.first + p] = x; });
    }
  };

  template <class Emit>
  struct put_slopes {
    neural_slopes of;
    score_order<T, R> order;
    double temperature;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto runs = order.runs(list);
      const auto before = [&](std::uint32_t end) { return end > 0 ? of.prefix[list.first + end - 1] : 0.0; };
      const double total = before(list.size());
      tile.for_own(team, [&](std::uint32_t j) {
        const std::uint32_t begin = runs.begin(j), end = runs.end(j);
        emit(list, order.item(list, j),
             neural_slope(j, begin, end, of.sums[list.first + j], of.moments[list.first + j], before(begin),
                          total - before(end), temperature));
      });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
