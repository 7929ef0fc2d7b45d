// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/neural_band_steps.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The columns of the target Q by item: their sums, their moments about the position of the item by
/// relevance, and that position.
struct target_columns {
  double *sums, *moments;
  std::uint32_t* positions;

  [[nodiscard]] __device__ target_columns from(std::size_t first) const {
    return {sums + first, moments + first, positions + first};
  }
  template <class Column>
  __device__ void put(std::uint32_t i, std::uint32_t position, const Column& own) const {
    sums[i] = own.sum;
    moments[i] = own.moment;
    positions[i] = position;
  }
  /// The moment of an item's column about position j.
  [[nodiscard]] __device__ double moment_about(std::uint32_t j, std::uint32_t i) const {
    return fma(sums[i], static_cast<double>(static_cast<std::int32_t>(positions[i] - j)), moments[i]);
  }
};

/// What the scores add to the value of neural_sort_cross_entropy, besides the logarithms of the row sums. The
/// formula is that of cpu/neural_sort_cross_entropy.hpp: scores about the middle one, in units in which no
/// sum of finite scores overflows.
struct score_distances {
  static constexpr double scale = 0x1p-128;

  [[nodiscard]] static __device__ double own(double x, double middle) { return scale * x - scale * middle; }
  /// What item i at position j adds; up_to: the sum of the numbers `own` up to it, of all of which it is
  /// `total`.
  [[nodiscard]] static __device__ double term(std::uint32_t j, std::uint32_t i, double own, double up_to,
                                              double total, const target_columns& target) {
    const double above = up_to - own, below = total - up_to;
    return (1.0 - target.sums[i]) * (below - above) + 2.0 * target.moment_about(j, i) * own;
  }
  [[nodiscard]] static __device__ double value(double terms, std::uint32_t n, double temperature) {
    return held_as<double>(terms / static_cast<double>(n) / temperature / scale);
  }
};

/// neural_sort_cross_entropy of long lists, over the grid: the two bands one after the other.
struct neural_sort_cross_entropy_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    score_order<T, R> order;
    sorted_arrays<typename falling_bits<R>::type> relevance;
    T *gaps, *inverse;      ///< [items] of a band: gaps, and 1 / row sums
    target_columns target;  ///< [items]
    neural_slopes<T, R> slopes;
    tile_scan<double> scores;
    tile_sums logarithms, distances;

    explicit arrays(tile_arrays& from)
        : order(from),
          relevance(sorted_arrays<typename falling_bits<R>::type>::of(from, true)),
          gaps(from.of_items<T>()),
          inverse(from.of_items<T>()),
          target{from.of_items<double>(), from.of_items<double>(), from.of_items<std::uint32_t>()},
          slopes(from),
          scores(from),
          logarithms(from),
          distances(from) {}

    [[nodiscard]] __device__ neural_band<T> band(const grid_list<T, R>& list) const {
      return {gaps + list.first, list.size()};
    }
    /// Sums and moments of a column of the soft permutation.
    [[nodiscard]] __device__ auto column(const grid_list<T, R>& list, std::uint32_t j) const {
      return band(list).moments_of_shares(j, inverse + list.first);
    }
    [[nodiscard]] __device__ double score(const grid_list<T, R>& list, std::uint32_t p) const {
      return score_distances::own(static_cast<double>(order.score(list, p)),
                                  static_cast<double>(order.score(list, list.size() / 2)));
    }
    /// Scans the scores of a tile. Returns the sum of all of them.
    template <class Team, class Put>
    __device__ double scan_scores(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                                  double before, Put put) const {
      return scan_items(
          team, tile.size(), 0.0, [&](std::uint32_t k) { return score(list, tile.begin + k); },
          [](double a, double b) { return a + b; },
          [&](std::uint32_t k, double x) { put(tile.begin + k, x); }, before);
    }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const auto& loss = grid.compute().loss;
    sort_by_relevance<R>(grid, of.order.counts, of.relevance);
    grid.tiles("neural_sort_cross_entropy: fill_gaps",
               fill_gaps<T, sorted_relevance<T, R>>{1.0 / loss.relevance_temperature, {of}, of.gaps});
    grid.rows("neural_sort_cross_entropy: sum_rows", sum_rows<T, R>{of});
    grid.rows("neural_sort_cross_entropy: sum_targets", sum_targets<T, R>{of});
    sort_by_bounded_score(grid, of.order);
    grid.tiles("neural_sort_cross_entropy: fill_gaps",
               fill_gaps<T, sorted_scores<T, R>>{1.0 / loss.temperature, {of.order}, of.gaps});
    grid.rows("neural_sort_cross_entropy: sum_rows", sum_rows<T, R>{of});
    grid.rows("neural_sort_cross_entropy: sum_columns", sum_columns<T, R>{of});
    grid.tiles("neural_sort_cross_entropy: sum_scores", sum_scores<T, R>{of});
    grid.lists("neural_sort_cross_entropy: hand_on", hand_on<T, R>{of});
    grid.tiles("neural_sort_cross_entropy: sum_distances", sum_distances<T, R>{of});
    grid.lists("neural_sort_cross_entropy: find_value", find_value<T, R>{of});
    if (grid.gradient_wanted()) of.slopes.put(grid, of.order, loss.temperature, put_slope{});
  }

  template <class T, class R>
  struct sorted_relevance {
    arrays<T, R> of;

    [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
      return static_cast<double>(list.items.relevance(of.relevance.indices[0][list.first + p]));
    }
  };

  template <class T, class R>
  struct sum_rows {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto band = of.band(list);
      part.for_own(team, [&](std::uint32_t i) { of.inverse[list.first + i] = band.share(i); });
    }
  };
  template <class T, class R>
  struct sum_targets {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const target_columns target = of.target.from(list.first);
      part.for_own(team, [&](std::uint32_t q) {
        target.put(of.relevance.indices[0][list.first + q], q, of.column(list, q));
      });
    }
  };
  /// The sums and moments of D = P - Q, whose rows sum to 0.
  template <class T, class R>
  struct sum_columns {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const target_columns target = of.target.from(list.first);
      part.for_own(team, [&](std::uint32_t j) {
        const auto own = of.column(list, j);
        const std::uint32_t i = of.order.item(list, j);
        of.slopes.sums[list.first + j] = own.sum - target.sums[i];
        of.slopes.moments[list.first + j] = own.moment - target.moment_about(j, i);
      });
    }
  };

  /// The scores of a tile, and the logarithms of its row sums.
  template <class T, class R>
  struct sum_scores {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double own = 0.0;
      tile.for_own(team,
                   [&](std::uint32_t i) { own -= static_cast<double>(log_of(of.inverse[list.first + i])); });
      of.logarithms.leave(team, list, tile, own);
      of.scores.leave(team, list, tile, of.scan_scores(team, list, tile, 0.0, [](std::uint32_t, double) {}));
    }
  };
  template <class T, class R>
  struct hand_on {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.scores.hand_on(team, list, 0.0, [](double a, double b) { return a + b; });
    }
  };
  template <class T, class R>
  struct sum_distances {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const target_columns target = of.target.from(list.first);
      const std::uint32_t last = list.tile + list.tiles() - 1;
      const double total = of.scores.before[last] + of.scores.part[last];
      double own = 0.0;
      of.scan_scores(team, list, tile, of.scores.of(list, tile), [&](std::uint32_t j, double up_to) {
        own += score_distances::term(j, of.order.item(list, j), of.score(list, j), up_to, total, target);
      });
      of.distances.leave(team, list, tile, own);
    }
  };
  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const double distances = of.distances.of(team, list), logarithms = of.logarithms.of(team, list);
      if (team.rank() == 0)
        *list.value =
            held_as<double>(score_distances::value(distances, list.size(), compute.loss.temperature) +
                            logarithms / static_cast<double>(list.size()));
    }
  };

  struct put_slope {
    template <class T, class R>
    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double slope) const {
      list.sink.put(i, held_as<T>(slope / static_cast<double>(list.size())));
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
