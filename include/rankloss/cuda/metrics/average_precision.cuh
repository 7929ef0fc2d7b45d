// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Writes the weights of the relevant items, up to a common factor, and 0 for the others; returns the divisor
/// of average precision. `keys` and `order` are scratch. Weights are above 0 also where S is float and
/// another one is 1e38 times as heavy.
template <class Team, class T, class R, class S>
[[nodiscard]] __device__ inline double share_relevant(const Team& team, const device_list<T, R>& items,
                                                      std::size_t cutoff, bool attainable, S* w, S* keys,
                                                      std::uint32_t* order) {
  const std::uint32_t n = items.size();
  const auto for_own = [&](auto body) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
  };
  S total{0};
  if (items.weighted()) {
    double heaviest = 0.0;
    for_own([&](std::uint32_t i) { heaviest = fmax(heaviest, relevant_weight(items, i)); });
    const double unit = unit_of(greatest(team, heaviest));
    for_own([&](std::uint32_t i) {
      const double own = relevant_weight(items, i);
      const S scaled = static_cast<S>(own * unit);
      w[i] = own > 0.0 && !(scaled > S{0}) ? least_normal<S> : scaled;
      total += w[i];
    });
  } else {
    for_own([&](std::uint32_t i) {
      w[i] = items.relevance(i) > R{0} ? S{1} : S{0};
      total += w[i];
    });
  }
  if (attainable && cutoff > 0 && cutoff < n) {
    // The k greatest weights.
    const runs_of<S> by_weight(team, n, keys, order, [&](std::uint32_t i) { return w[i]; });
    total = S{0};
    for_own([&](std::uint32_t p) { total += p < cutoff ? by_weight.keys[p] : S{0}; });
  }
  return static_cast<double>(sum(team, total));
}

/// Of numbers in falling order the first ones alone.
struct share_of_greatest {
  std::size_t count;

  template <class Runs>
  [[nodiscard]] __device__ double operator()(const Runs&, std::uint32_t p) const {
    return p < count ? 1.0 : 0.0;
  }
};

/// average_precision of one list, of which weights and precisions are of the type of the scores.
struct average_precision_list {
  std::size_t cutoff;
  bool attainable;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(T) + 2 * sizeof(std::uint32_t);

  [[nodiscard]] static average_precision_list of(const metrics::average_precision& metric) {
    return {metric.cutoff, metric.over == metrics::average_precision_over::attainable};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    T* const w = scratch.take<T>(n);
    T* const keys = scratch.take<T>(n);
    T* const weights = scratch.take<T>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    std::uint32_t* const relevant = scratch.take<std::uint32_t>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    const double total = share_relevant(team, items, cutoff, attainable, w, keys, order);
    if (!(total > 0.0)) return 0.0;

    const runs_of<T> runs = runs_of_scores(team, items, keys, order);
    runs.sum_runs(team, weights, [&](std::uint32_t p) { return w[order[p]]; });
    scan_items(
        team, n, std::uint32_t{0},
        [&](std::uint32_t p) { return std::uint32_t{w[order[p]] > T{0} ? 1u : 0u}; },
        [](std::uint32_t a, std::uint32_t b) { return a + b; },
        [&](std::uint32_t p, std::uint32_t up_to) { relevant[p] = up_to; });
    team.sync();
    const std::uint32_t k = counted_by(cutoff, n);
    double precisions = 0.0;
    for_own([&](std::uint32_t p) {
      if (p >= k) return;
      const std::uint32_t begin = runs.begin(p), end = runs.end(p);
      const std::uint32_t above = begin > 0 ? relevant[begin - 1] : 0;
      const std::uint32_t inside = relevant[end - 1] - above;
      if (inside == 0) return;
      precisions += static_cast<double>(quotient(
          weights[end - 1] * precision_at<T>(p, begin, end, above, inside), static_cast<T>(end - begin)));
    });
    return sum(team, precisions) / total;
  }
  /// The precision at position p of a run [begin, end) that holds `inside` relevant items, with `above` before it. A
  /// relevant item is equally often at each position of the run, and then each position before it holds another
  /// relevant item with the same probability.
  template <class S>
  [[nodiscard]] static __device__ S precision_at(std::uint32_t p, std::uint32_t begin, std::uint32_t end,
                                                 std::uint32_t above, std::uint32_t inside) {
    const S density =
        end - begin > 1 ? quotient(static_cast<S>(inside - 1), static_cast<S>(end - begin - 1)) : S{0};
    return quotient(static_cast<S>(above + 1) + density * static_cast<S>(p - begin), static_cast<S>(p + 1));
  }
};

/// average_precision of long lists, over the grid: weights and scores sorted; the weights of runs and the number of
/// relevant items summed up by scans.
struct average_precision_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    score_order<T, R> order;
    gain_units units;
    falling_numbers by_weight;
    double* w;                ///< [items] weights by item
    double* weights;          ///< [items] their sums from the beginning of the run on, by position
    std::uint32_t* relevant;  ///< [items] relevant items up to each position
    tile_sums total, precisions;
    tile_scan<run_sum> runs;
    tile_scan<std::uint32_t> counts;

    explicit arrays(tile_arrays& from)
        : order(from),
          units(from),
          by_weight(from),
          w(from.of_items<double>()),
          weights(from.of_items<double>()),
          relevant(from.of_items<std::uint32_t>()),
          total(from),
          precisions(from),
          runs(from),
          counts(from) {}

    [[nodiscard]] __device__ double weight(const grid_list<T, R>& list, std::uint32_t p) const {
      return w[list.first + order.item(list, p)];
    }
    template <class Team, class Put>
    __device__ run_sum scan_runs(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                 Put put, const run_sum& before) const {
      const auto keys = order.runs(list).keys;
      return scan_items(
          team, tile.size(), run_sum::none(),
          [&](std::uint32_t p) {
            const std::uint32_t at = tile.begin + p;
            return run_sum{weight(list, at), at > 0 && keys[at - 1] == keys[at] ? 0.0 : 1.0};
          },
          run_sum::joined,
          [&](std::uint32_t p, const run_sum& x) { put(list.first + tile.begin + p, x.sum); }, before);
    }
    template <class Team, class Put>
    __device__ std::uint32_t scan_counts(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                         Put put, std::uint32_t before) const {
      return scan_items(
          team, tile.size(), std::uint32_t{0},
          [&](std::uint32_t p) { return std::uint32_t{weight(list, tile.begin + p) > 0.0 ? 1u : 0u}; }, add,
          [&](std::uint32_t p, std::uint32_t x) { put(list.first + tile.begin + p, x); }, before);
    }
    [[nodiscard]] static __device__ std::uint32_t add(std::uint32_t a, std::uint32_t b) { return a + b; }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const bool greatest_alone = grid.compute().attainable && grid.compute().cutoff > 0;
    find_units<T, R>(grid, of.units);
    grid.tiles("average_precision: fill_weights", fill_weights<T, R>{of});
    if (greatest_alone) {
      grid.sort(of.order.counts, {of.by_weight.sorted});
      grid.tiles("average_precision: sum_greatest", sum_greatest<T, R>{of});
    }
    sort_by_score(grid, of.order);
    grid.tiles("average_precision: sum_runs", sum_runs<T, R>{of});
    grid.lists("average_precision: hand_on", hand_on<T, R>{of});
    grid.tiles("average_precision: find_runs", find_runs<T, R>{of});
    grid.tiles("average_precision: sum_precisions", sum_precisions<T, R>{of});
    grid.lists("average_precision: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct fill_weights {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double unit = of.units.of_weights(list);
      double total = 0.0;
      tile.for_own(team, [&](std::uint32_t i) {
        const double w = relevant_weight(list.items, i) * unit;
        of.w[list.first + i] = w;
        of.by_weight.put(list, i, w);
        total += w;
      });
      of.total.leave(team, list, tile, total);
    }
  };

  template <class T, class R>
  struct sum_greatest {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list& metric,
                               const grid_list<T, R>& list, const grid_tile& tile) const {
      of.total.leave(team, list, tile,
                     of.by_weight.sum_own(team, list, tile, share_of_greatest{metric.cutoff}));
    }
  };

  template <class T, class R>
  struct sum_runs {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.runs.leave(team, list, tile,
                    of.scan_runs(
                        team, list, tile, [](std::size_t, double) {}, run_sum::none()));
      of.counts.leave(team, list, tile,
                      of.scan_counts(
                          team, list, tile, [](std::size_t, std::uint32_t) {}, 0));
    }
  };

  template <class T, class R>
  struct hand_on {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list&,
                               const grid_list<T, R>& list) const {
      of.runs.hand_on(team, list, run_sum::none(), run_sum::joined);
      of.counts.hand_on(team, list, std::uint32_t{0}, arrays<T, R>::add);
    }
  };

  template <class T, class R>
  struct find_runs {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.scan_runs(
          team, list, tile, [&](std::size_t at, double sum) { of.weights[at] = sum; },
          of.runs.of(list, tile));
      of.scan_counts(
          team, list, tile, [&](std::size_t at, std::uint32_t sum) { of.relevant[at] = sum; },
          of.counts.of(list, tile));
    }
  };

  template <class T, class R>
  struct sum_precisions {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list& metric,
                               const grid_list<T, R>& list, const grid_tile& tile) const {
      const auto runs = of.order.runs(list);
      const std::uint32_t* const relevant = of.relevant + list.first;
      const std::uint32_t k = counted_by(metric.cutoff, list.size());
      double precisions = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        if (p >= k) return;
        const std::uint32_t begin = runs.begin(p), end = runs.end(p);
        const std::uint32_t above = begin > 0 ? relevant[begin - 1] : 0;
        const std::uint32_t inside = relevant[end - 1] - above;
        if (inside == 0) return;
        precisions += of.weights[list.first + end - 1] *
                      metric.template precision_at<double>(p, begin, end, above, inside) /
                      static_cast<double>(end - begin);
      });
      of.precisions.leave(team, list, tile, precisions);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const average_precision_list&,
                               const grid_list<T, R>& list) const {
      const double precisions = of.precisions.of(team, list), total = of.total.of(team, list);
      if (team.rank() == 0) *list.value = total > 0.0 ? precisions / total : 0.0;
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<metrics::average_precision, cuda::context>
    : cuda::detail::list_engine<metrics::average_precision, cuda::detail::average_precision_list,
                                cuda::detail::over_grid<cuda::detail::average_precision_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
