// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sinkhorn_band.cuh>
#include <rankloss/cuda/detail/sinkhorn_steps.cuh>
#include <rankloss/cuda/detail/sort_list.cuh>
#include <rankloss/cuda/detail/sort_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// neural_sort, scaled or not, of one list.
struct scaled_sort {
  sinkhorn_options scaling;

  template <class T>
  static constexpr std::size_t item_bytes = sinkhorn_options::item_bytes<T> + 4 * sizeof(double) +
                                            sizeof(std::uint32_t);
  /// Steps are kept for what goes back through them.
  [[nodiscard]] std::size_t kept_bytes(std::size_t, sort_product what) const {
    return scaling.implicit != 0 || what == sort_product::pullback ? scaling.kept_bytes() : 0;
  }

  [[nodiscard]] static scaled_sort of(const neural_sort& how) {
    return {sinkhorn_options::of(how.temperature, 0, 0.0, sinkhorn_derivative::unrolled)};
  }
  [[nodiscard]] static scaled_sort of(const sinkhorn& how) {
    return {sinkhorn_options::of(how.sort.temperature, how.steps, how.tolerance, how.derivative)};
  }

  template <class T, class Team, class Score, class Emit>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, team_scratch scratch, team_scratch kept) const {
    (void)scaling.with_arrays<T>(n, scratch, kept, [&](const auto& arrays, team_scratch rest) {
      multiply(team, n, score, what, v, c, emit, arrays, rest);
      return 0.0;
    });
  }

 private:
  template <class Team, class Score, class Emit, class E>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, const sinkhorn_arrays<E>& arrays,
                           team_scratch scratch) const {
    double* const x = scratch.take<double>(n);
    double* const sums = scratch.take<double>(n);
    double* const moments = scratch.take<double>(n);
    double* const prefix = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const falling_runs scores(team, n, x, order,
                              [&](std::uint32_t i) { return static_cast<double>(score(i)); });
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      arrays.values[p] = v[order[p]];
      if (what != sort_product::apply) arrays.weights[p] = what == sort_product::transposed ? v[p] : c[p];
    }
    const neural_band<E> band(team, x, n, scaling.temperature, arrays.gaps);
    const sinkhorn_band<E> matrix(team, band, scaling, arrays, what == sort_product::pullback);
    switch (what) {
      case sort_product::apply: matrix.apply(team, emit); break;
      case sort_product::transposed:
        matrix.apply_transposed(team, [&](std::uint32_t p, double own) { emit(order[p], own); });
        break;
      default:
        matrix.apply(team, [&](std::uint32_t p, double product) { arrays.product[p] = product; });
        matrix.pull(team, sums, moments);
        neural_gradient(team, scores, n, scaling.temperature, sums, moments, prefix,
                        [&](std::uint32_t p, double slope) { emit(order[p], slope); });
    }
  }
};

/// The same of long lists, over the grid.
template <class T, class R>
struct scaled_sort_steps {
  sinkhorn_steps<T, R> matrix;

  explicit scaled_sort_steps(tile_arrays& from) : matrix(from) {}

  template <class Grid, class Values, class Cotangent, class Emit>
  void multiply(const Grid& grid, const scaled_sort& on, sort_product what, const Values& v,
                const Cotangent& c, const Emit& emit) const {
    const sinkhorn_options& how = on.scaling;
    using order_type = score_order<T, R>;
    const order_type& order = matrix.order;
    sort_by_bounded_score(grid, order);
    sinkhorn_steps<T, R>::with_entries(how, [&]<class E>(E) {
      matrix.template scale<E>(grid, how, what == sort_product::pullback);
      if (what == sort_product::transposed) {
        grid.tiles("sorts: fill_weights", emit_numbers<Values, to_positions>{v, {matrix.weights}});
        matrix.template apply_transposed<E>(grid, how, to_items<order_type, Emit>{order, emit});
        return;
      }
      grid.tiles("sorts: fill_values", emit_numbers<numbers_by_order<order_type, Values>, to_positions>{
                                           {order, v}, {matrix.values}});
      if constexpr (is_given<Cotangent, T, R>) {
        grid.tiles("sorts: fill_weights", emit_numbers<Cotangent, to_positions>{c, {matrix.weights}});
        matrix.template apply<E>(grid, how, to_positions{matrix.product});
        matrix.template pull<E>(grid, how, emit);
      } else {
        matrix.template apply<E>(grid, how, emit);
      }
    });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
