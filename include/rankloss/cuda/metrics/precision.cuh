// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/metrics/precision.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// precision of one list.
struct precision_list {
  std::size_t cutoff;
  bool over_retrieved;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static precision_list of(const metrics::precision& metric) {
    return {metric.cutoff, metric.over == metrics::precision_over::retrieved};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const falling_runs runs = runs_of_scores(team, items, keys, order);
    const std::uint32_t k = counted_by(cutoff, n);
    double found = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size())
      found += relevant_weight(items, order[p]) * runs.share_of_first(k, p);
    return value_of(sum(team, found), n);
  }
  /// The precision of n items, of which relevant ones of this weight are found.
  [[nodiscard]] __device__ double value_of(double found, std::uint32_t n) const {
    const bool shortened = cutoff == 0 || (over_retrieved && n < cutoff);
    return held_as<double>(found) / static_cast<double>(shortened ? n : cutoff);
  }
};

/// precision of long lists, over the grid.
struct precision_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    score_order<T, R> order;
    tile_sums found;

    explicit arrays(tile_arrays& from) : order(from), found(from) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    sort_by_score(grid, of.order);
    grid.tiles("precision: sum_found", sum_found<T, R>{of});
    grid.lists("precision: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct sum_found {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const precision_list& metric, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto runs = of.order.runs(list);
      const std::uint32_t k = counted_by(metric.cutoff, list.size());
      double found = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        found += relevant_weight(list.items, of.order.item(list, p)) *
                 share_of_first(k, runs.begin(p), runs.end(p));
      });
      of.found.leave(team, list, tile, found);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const precision_list& metric,
                               const grid_list<T, R>& list) const {
      const double found = of.found.of(team, list);
      if (team.rank() == 0) *list.value = metric.value_of(found, list.size());
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<metrics::precision, cuda::context>
    : cuda::detail::list_engine<metrics::precision, cuda::detail::precision_list,
                                cuda::detail::over_grid<cuda::detail::precision_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
