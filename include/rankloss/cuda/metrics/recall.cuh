// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/recall.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// recall of one list. Both sums are in the same order, so the value is exactly 1 if no item is missed.
struct recall_list {
  std::size_t cutoff;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static recall_list of(const metrics::recall& metric) { return {metric.cutoff}; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    double heaviest = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      heaviest = fmax(heaviest, relevant_weight(items, i));
    heaviest = greatest(team, heaviest);
    if (!(heaviest > 0.0)) return 0.0;
    const double unit = unit_of(heaviest);
    const falling_runs runs = runs_of_scores(team, items, keys, order);
    const std::uint32_t k = counted_by(cutoff, n);
    double found = 0.0, total = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      const double w = relevant_weight(items, order[p]) * unit;
      total += w;
      found += w * runs.share_of_first(k, p);
    }
    total = sum(team, total);
    return sum(team, found) / total;
  }
};

/// recall of long lists, over the grid.
struct recall_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    score_order<T, R> order;
    gain_units units;
    tile_sums found, total;

    explicit arrays(tile_arrays& from) : order(from), units(from), found(from), total(from) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    find_units<T, R>(grid, of.units);
    sort_by_score(grid, of.order);
    grid.tiles("recall: sum_found", sum_found<T, R>{of});
    grid.lists("recall: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct sum_found {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const recall_list& metric, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto runs = of.order.runs(list);
      const double unit = of.units.of_weights(list);
      const std::uint32_t k = counted_by(metric.cutoff, list.size());
      double found = 0.0, total = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const double w = relevant_weight(list.items, of.order.item(list, p)) * unit;
        total += w;
        found += w * share_of_first(k, runs.begin(p), runs.end(p));
      });
      of.found.leave(team, list, tile, found);
      of.total.leave(team, list, tile, total);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const recall_list&, const grid_list<T, R>& list) const {
      const double found = of.found.of(team, list), total = of.total.of(team, list);
      if (team.rank() == 0) *list.value = total > 0.0 ? found / total : 0.0;
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<metrics::recall, cuda::context>
    : cuda::detail::list_engine<metrics::recall, cuda::detail::recall_list,
                                cuda::detail::over_grid<cuda::detail::recall_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
