// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/ndcg.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The discount of a position of which so many count.
template <class S>
struct counted_discount {
  std::uint32_t counted;

  [[nodiscard]] __device__ S operator()(std::uint32_t position) const {
    return position < counted
               ? quotient(static_cast<S>(0.6931471805599453), log_of(S{2} + static_cast<S>(position)))
               : S{0};
  }
};

/// That of a position in a best order of n gains, of which equal ones are runs.
template <class S>
struct ideal_discount {
  bool of_runs;
  counted_discount<S> discount;

  [[nodiscard]] static __device__ ideal_discount of(const gain_options& gains, std::uint32_t n) {
    return {gains.how == ideal::competition_ranks, {counted_by(gains.cutoff, n)}};
  }
  template <class Runs>
  [[nodiscard]] __device__ S operator()(const Runs& runs, std::uint32_t p) const {
    return discount(of_runs ? runs.begin(p) : p);
  }
};

/// The DCG of a best order of gains g. `keys` and `order` are scratch.
template <class Team, class S>
[[nodiscard]] __device__ inline double best_dcg(const Team& team, const gain_options& gains, const S* g,
                                                std::uint32_t n, S* keys, std::uint32_t* order) {
  const auto discount = ideal_discount<S>::of(gains, n);
  const runs_of<S> runs(team, n, keys, order, [&](std::uint32_t i) { return g[i]; });
  double best = 0.0;
  for (std::uint32_t p = team.rank(); p < n; p += team.size())
    best += static_cast<double>(runs.keys[p] * discount(runs, p));
  return sum(team, best);
}

/// ndcg of one list. The DCG and its ideal are summed in the same order, so an ideal order without ties has
/// exactly 1.
struct ndcg_list {
  gain_options gains;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static ndcg_list of(const metrics::ndcg& metric) {
    return {gain_options::of(metric.gain, metric.gain_table, metric.ideal, metric.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    // Which gains are equal matters to competition ranks, and gains that are floats may become it.
    if constexpr (!std::is_same_v<T, double>)
      if (gains.how == ideal::competition_ranks) return compute<double>(team, items, scratch);
    return compute<T>(team, items, scratch);
  }

 private:
  /// With gains and discounts of type S.
  template <class S, class Team, class T, class R>
  [[nodiscard]] __device__ double compute(const Team& team, const device_list<T, R>& items,
                                          team_scratch scratch) const {
    const std::uint32_t n = items.size();
    S* const g = scratch.take<S>(n);
    S* const keys = scratch.take<S>(n);
    S* const sums = scratch.take<S>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    gains.fill(team, items, g);
    const double best = best_dcg(team, gains, g, n, keys, order);
    if (!(best > 0.0)) return 0.0;
    const runs_of<S> runs = runs_of_scores(team, items, keys, order);
    runs.sum_runs(team, sums, counted_discount<S>{counted_by(gains.cutoff, n)});
    double dcg = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      const std::uint32_t end = runs.end(p);
      dcg += static_cast<double>(g[order[p]] * quotient(sums[end - 1], static_cast<S>(end - runs.begin(p))));
    }
    return sum(team, dcg) / best;
  }
};

/// ndcg of long lists, over the grid: gains and scores sorted; the discounts of each run of equal scores summed up
/// by a scan.
struct ndcg_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<T>::type;
    falling_numbers falling;  ///< the gains
    sorted_arrays<key> scores;
    digit_counts counts;
    double* gains;  ///< [items] by item
    double* sums;   ///< [items] of the discounts from the beginning of the run on, by position
    gain_units units;
    tile_sums best, dcg;
    tile_scan<run_sum> runs;
    double* ideal;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : falling(from),
          scores(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 1)),
          gains(from.of_items<double>()),
          sums(from.of_items<double>()),
          units(from),
          best(from),
          dcg(from),
          runs(from),
          ideal(from.of_lists<double>()) {}

    /// Scans the discounts of a tile.
    template <class Team, class Put>
    __device__ run_sum scan_runs(const Team& team, const ndcg_list& metric, const grid_list<T, R>& list,
                                 const grid_tile& tile, Put put, const run_sum& before) const {
      const counted_discount<double> discount{counted_by(metric.gains.cutoff, list.size())};
      const key* const keys = scores.keys[0] + list.first;
      return scan_items(
          team, tile.size(), run_sum::none(),
          [&](std::uint32_t p) {
            const std::uint32_t at = tile.begin + p;
            return run_sum{discount(at), at > 0 && keys[at - 1] == keys[at] ? 0.0 : 1.0};
          },
          run_sum::joined, [&](std::uint32_t p, const run_sum& x) { put(tile.begin + p, x); }, before);
    }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    find_units<T, R>(grid, of.units);
    grid.tiles("ndcg: fill_gains", fill_gains<T, R>{of});
    grid.sort(of.counts, {of.falling.sorted});
    grid.sort(of.counts, {of.scores});
    grid.tiles("ndcg: sum_discounts", sum_discounts<T, R>{of});
    grid.lists("ndcg: hand_on_discounts", hand_on_discounts<T, R>{of});
    grid.tiles("ndcg: find_discounts", find_discounts<T, R>{of});
    grid.tiles("ndcg: sum_dcg", sum_dcg<T, R>{of});
    grid.lists("ndcg: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct fill_gains {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list& metric, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const gain_options::units units = of.units.of(list);
      tile.for_own(team, [&](std::uint32_t i) {
        const double g = metric.gains.template gain_of<double>(list.items, i, units);
        of.gains[list.first + i] = g;
        of.falling.put(list, i, g);
        of.scores.keys[0][list.first + i] = falling_bits<T>::of(list.items.score(i));
      });
    }
  };

  template <class T, class R>
  struct sum_discounts {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list& metric, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.best.leave(
          team, list, tile,
          of.falling.sum_own(team, list, tile, ideal_discount<double>::of(metric.gains, list.size())));
      of.runs.leave(team, list, tile,
                    of.scan_runs(
                        team, metric, list, tile, [](std::uint32_t, const run_sum&) {}, run_sum::none()));
    }
  };

  template <class T, class R>
  struct hand_on_discounts {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list&, const grid_list<T, R>& list) const {
      const double best = of.best.of(team, list);
      if (team.rank() == 0) of.ideal[list.at] = best;
      of.runs.hand_on(team, list, run_sum::none(), run_sum::joined);
    }
  };

  template <class T, class R>
  struct find_discounts {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list& metric, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.scan_runs(
          team, metric, list, tile,
          [&](std::uint32_t p, const run_sum& x) { of.sums[list.first + p] = x.sum; },
          of.runs.of(list, tile));
    }
  };

  template <class T, class R>
  struct sum_dcg {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const key_runs<typename arrays<T, R>::key> runs{of.scores.keys[0] + list.first, list.size()};
      double dcg = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = runs.begin(p), end = runs.end(p);
        dcg += of.gains[list.first + of.scores.indices[0][list.first + p]] *
               (of.sums[list.first + end - 1] / static_cast<double>(end - begin));
      });
      of.dcg.leave(team, list, tile, dcg);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const ndcg_list&, const grid_list<T, R>& list) const {
      const double dcg = of.dcg.of(team, list);
      const double best = of.ideal[list.at];
      if (team.rank() == 0) *list.value = best > 0.0 ? dcg / best : 0.0;
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<metrics::ndcg, cuda::context>
    : cuda::detail::list_engine<metrics::ndcg, cuda::detail::ndcg_list,
                                cuda::detail::over_grid<cuda::detail::ndcg_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
