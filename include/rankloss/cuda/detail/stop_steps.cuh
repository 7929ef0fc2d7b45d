// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/terms_of_ranks.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The terms of a metric of users who go down long lists and stop, over the grid: ranks sorted, and the
/// shares of the users who go on multiplied by scans. Ranks r are in the order of the batch, and become
/// derivatives.
template <class T, class R>
struct stop_steps {
  double* r;
  gain_units units;
  tile_sums value;
  sorted_arrays<std::uint64_t> ranks;
  double *stops, *passed, *tied;  ///< [items] by position: shares of users who stop there, and products
  tile_scan<double> all;
  tile_scan<run_product> runs;

  /// The value is left in `value`.
  stop_steps(tile_arrays& from, double* r, const gain_units& units, const tile_sums& value)
      : r(r),
        units(units),
        value(value),
        ranks(sorted_arrays<std::uint64_t>::of(from, true)),
        stops(from.of_items<double>()),
        passed(from.of_items<double>()),
        tied(from.of_items<double>()),
        all(from),
        runs(from) {}

  template <class Grid>
  void run(const Grid& grid, const digit_counts& counts) const {
    grid.tiles("stops: take_ranks", take_ranks{*this});
    grid.sort(counts, {ranks});
    grid.tiles("stops: find_stops", find_stops{*this});
    grid.lists("stops: hand_on", hand_on{*this});
    grid.tiles("stops: multiply", multiply{*this});
    grid.tiles("stops: add_terms", add_terms{*this});
  }

  [[nodiscard]] __device__ key_runs<std::uint64_t> runs_of(const grid_list<T, R>& list) const {
    return {ranks.keys[0] + list.first, list.size()};
  }
  [[nodiscard]] static __device__ double times(double a, double b) { return a * b; }

  /// passed: the share of the users who stop at none of the positions up to p; tied: the product from the
  /// beginning of the run of equal ranks on.
  template <class Team, class Put>
  __device__ double scan_passed(const Team& team, const grid_list<T, R>& list, const grid_tile& tile, Put put,
                                double before) const {
    return scan_items(
        team, tile.size(), 1.0, [&](std::uint32_t k) { return 1.0 - stops[list.first + tile.begin + k]; },
        times, [&](std::uint32_t k, double x) { put(list.first + tile.begin + k, x); }, before);
  }
  template <class Team, class Put>
  __device__ run_product scan_tied(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                   Put put, const run_product& before) const {
    const std::uint64_t* const keys = runs_of(list).keys;
    return scan_items(
        team, tile.size(), run_product::none(),
        [&](std::uint32_t k) {
          const std::uint32_t p = tile.begin + k;
          return run_product{1.0 - stops[list.first + p] / 2.0, p > 0 && keys[p - 1] == keys[p] ? 0.0 : 1.0};
        },
        run_product::joined,
        [&](std::uint32_t k, const run_product& x) { put(list.first + tile.begin + k, x.product); }, before);
  }

  struct take_ranks {
    stop_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team, [&](std::uint32_t i) {
        of.ranks.keys[0][list.first + i] = falling_bits<double>::of(-of.r[list.items.at(i)]);
      });
    }
  };

  struct find_stops {
    stop_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double most = of.units.most(list).largest;
      tile.for_own(team, [&](std::uint32_t p) {
        of.stops[list.first + p] = loss.metric.stop(list.items, of.ranks.indices[0][list.first + p], most);
      });
      team.sync();
      of.all.leave(team, list, tile,
                   of.scan_passed(
                       team, list, tile, [](std::size_t, double) {}, 1.0));
      of.runs.leave(team, list, tile,
                    of.scan_tied(
                        team, list, tile, [](std::size_t, double) {}, run_product::none()));
    }
  };

  struct hand_on {
    stop_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.all.hand_on(team, list, 1.0, times);
      of.runs.hand_on(team, list, run_product::none(), run_product::joined);
    }
  };

  struct multiply {
    stop_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.scan_passed(
          team, list, tile, [&](std::size_t at, double x) { of.passed[at] = x; }, of.all.of(list, tile));
      of.scan_tied(
          team, list, tile, [&](std::size_t at, double x) { of.tied[at] = x; }, of.runs.of(list, tile));
    }
  };

  struct add_terms {
    stop_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto ties = of.runs_of(list);
      double own_value = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = ties.begin(p), end = ties.end(p);
        const double reached = begin > 0 ? of.passed[list.first + begin - 1] : 1.0;
        double& rank = of.r[list.items.at(of.ranks.indices[0][list.first + p])];
        const rank_term own =
            loss.metric.stop_term(rank, of.stops[list.first + p], reached, of.tied[list.first + end - 1]);
        own_value += own.value;
        rank = own.slope;
      });
      of.value.leave(team, list, tile, own_value);
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
