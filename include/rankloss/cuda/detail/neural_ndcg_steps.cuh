// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sinkhorn_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The unit of the gains of a list by its ideal DCG: with it nothing leaves the range of floats that matters
/// to a gradient.
[[nodiscard]] __device__ inline double unit_of_gains(double best) { return unit_of(best) * 0x1p60; }

/// neural_ndcg of long lists, over the grid: gains and scores sorted, and the steps of the scaled matrix.
struct neural_ndcg_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    sinkhorn_steps<T, R> matrix;
    falling_numbers falling;  ///< the gains
    gain_units units;
    tile_sums ideal, dcg;
    double* best;  ///< [lists] the ideal DCG

    explicit arrays(tile_arrays& from)
        : matrix(from), falling(from), units(from), ideal(from), dcg(from), best(from.of_lists<double>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const sinkhorn_options& how = grid.compute().scaling;
    const score_order<T, R>& order = of.matrix.order;
    find_units<T, R>(grid, of.units);
    grid.tiles("neural_ndcg: fill_gains", fill_gains<T, R>{of});
    grid.sort(order.counts, {of.falling.sorted});
    sort_by_bounded_score(grid, order);
    grid.tiles("neural_ndcg: sum_ideal", sum_ideal<T, R>{of});
    grid.lists("neural_ndcg: find_best", find_best<T, R>{of});
    sinkhorn_steps<T, R>::with_entries(how, [&]<class E>(E) {
      const auto own = of.matrix.template arrays_of<E>(grid, how);
      grid.tiles("neural_ndcg: sort_gains", sort_gains<T, R, E>{of, own});
      of.matrix.template scale<E>(grid, how, grid.gradient_wanted());
      of.matrix.template find_product<E>(grid, how);
      grid.tiles("neural_ndcg: sum_dcg", sum_dcg<T, R, E>{of, own});
      grid.lists("neural_ndcg: find_value", find_value<T, R>{of});
      if (grid.gradient_wanted()) of.matrix.template pull<E>(grid, how, put_slope<T, R>{of.best});
    });
  }

  template <class T, class R, class E>
  using entries = typename sinkhorn_steps<T, R>::template of_entries<E>;

  /// The gain of each item, which stands where the product of the matrix goes later.
  template <class T, class R>
  struct fill_gains {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const gain_options::units units = of.units.of(list);
      tile.for_own(team, [&](std::uint32_t i) {
        const double g = loss.gains.template gain_of<double>(list.items, i, units);
        of.matrix.product[list.first + i] = g;
        of.falling.put(list, i, g);
      });
    }
  };

  template <class T, class R>
  struct sum_ideal {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto discount = [&](const auto&, std::uint32_t p) { return loss.discount(p); };
      of.ideal.leave(team, list, tile, of.falling.sum_own(team, list, tile, discount));
    }
  };

  template <class T, class R>
  struct find_best {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double best = of.ideal.of(team, list);
      if (team.rank() == 0) of.best[list.at] = best;
    }
  };

  /// The gains by position, in the unit of those of the list.
  template <class T, class R, class E>
  struct sort_gains {
    arrays<T, R> of;
    entries<T, R, E> own;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double unit = unit_of_gains(of.best[list.at]);
      const double* const by_item = of.matrix.product + list.first;
      auto* const values = own.arrays(list).values;
      tile.for_own(team, [&](std::uint32_t p) {
        values[p] = number<state_number<E>>(by_item[of.matrix.order.item(list, p)] * unit);
      });
    }
  };

  /// And the discounts, by which the product is weighted.
  template <class T, class R, class E>
  struct sum_dcg {
    arrays<T, R> of;
    entries<T, R, E> own;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto matrix = own.arrays(list);
      double sum = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const double weight = loss.discount(p);
        matrix.weights[p] = number<state_number<E>>(weight);
        sum += exact_value(matrix.product[p]) * weight;
      });
      of.dcg.leave(team, list, tile, sum);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double dcg = of.dcg.of(team, list), best = of.best[list.at];
      if (team.rank() != 0) return;
      *list.value = best > 0.0 ? 1.0 - dcg / (best * unit_of_gains(best)) : 0.0;
    }
  };

  template <class T, class R>
  struct put_slope {
    const double* best;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double slope) const {
      const double own = best[list.at];
      list.sink.put(i, own > 0.0 ? held_as<T>(-slope / (own * unit_of_gains(own))) : T{0});
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
