// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/distance_steps.cuh>
#include <rankloss/cuda/detail/distance_sums.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/soft_sort_floats.cuh>
#include <rankloss/cuda/detail/sort_list.cuh>
#include <rankloss/cuda/detail/sort_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/sorts/soft_sort.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// soft_sort of one list: rows are ratios of the sums of distance_sums.cuh, along the sorted scores. By distances of
/// floats they are those of soft_sort_floats.cuh, where these suffice.
struct soft_sort_list {
  soft_sort how;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) + distance_sums<T>::item_bytes + 4 * sizeof(double) +
                                            sizeof(std::uint32_t);

  [[nodiscard]] static soft_sort_list of(const soft_sort& how) { return {how}; }

  [[nodiscard]] RANKLOSS_HOST_DEVICE bool squared() const { return how.distance == sort_distance::squared; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool sorts_hard(sort_product what) const {
    return how.forward == sort_forward::hard && what != sort_product::pullback;
  }
  /// What a row adds to the pullback, by its number in the cotangent.
  struct pulled_row {
    double weight, rest, own;

    [[nodiscard]] static __device__ pulled_row of(double c, const kernel_sums& row,
                                                  const kernel_sums& sided) {
      const double moved = row.moved / row.mass, weight = c / row.mass;
      return {weight, weight * moved, weight * (sided.moved - moved * sided.mass)};
    }
  };
  /// The slope of an item, whose sided sums are of the weights and rests of all rows, and which has a row of
  /// its own.
  [[nodiscard]] __device__ double slope(const kernel_sums& sided, double own) const {
    return (sided.moved - own) / how.temperature;
  }

  template <class T, class Team, class Score, class Emit>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, team_scratch scratch) const {
    T* const x = scratch.take<T>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const runs_of<T> scores(team, n, x, order, score);
    if (sorts_hard(what)) {
      for (std::uint32_t p = team.rank(); p < n; p += team.size())
        what == sort_product::apply ? emit(p, v[order[p]]) : emit(order[p], v[p]);
      return;
    }
    if constexpr (sizeof(T) == sizeof(float)) {
      if (multiply_in_floats(team, scores, n, what, v, c, emit, scratch)) return;
      team.sync();
    }
    double* const by_position = scratch.take<double>(n);
    double* const weights = scratch.take<double>(n);
    double* const rests = scratch.take<double>(n);
    double* const as_row = scratch.take<double>(n);
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) by_position[p] = v[order[p]];
    const distance_sums<T> sums(team, scores, n, squared(), 1.0 / how.temperature, scratch);
    const auto value = [&](std::uint32_t p) { return by_position[p]; };
    const auto weight = [&](std::uint32_t p) { return weights[p]; };
    switch (what) {
      case sort_product::apply:
        sums.for_items(team, one_each{}, none_each{}, value,
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums&) {
                         emit(p, by_position[p] + row.moved / row.mass);
                       });
        break;
      case sort_product::transposed:
        sums.for_items(team, one_each{}, none_each{}, none_each{},
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums&) {
                         weights[p] = v[p] / row.mass;
                       });
        sums.for_items(team, weight, none_each{}, none_each{},
                       [&](std::uint32_t p, const kernel_sums& column, const kernel_sums&) {
                         emit(order[p], column.mass);
                       });
        break;
      default:
        sums.for_items(team, one_each{}, none_each{}, value,
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums& sided) {
                         const pulled_row pulled = pulled_row::of(c[p], row, sided);
                         weights[p] = pulled.weight;
                         rests[p] = pulled.rest;
                         as_row[p] = pulled.own;
                       });
        sums.for_items(
            team, weight, [&](std::uint32_t p) { return rests[p]; }, value,
            [&](std::uint32_t p, const kernel_sums&, const kernel_sums& sided) {
              emit(order[p], slope(sided, as_row[p]));
            });
    }
  }

 private:
  template <class Team, class Emit>
  [[nodiscard]] __device__ bool multiply_in_floats(const Team& team, const runs_of<float>& scores,
                                                   std::uint32_t n, sort_product what, const double* v,
                                                   const double* c, Emit emit, team_scratch scratch) const {
    static_assert(item_bytes<float> >= sizeof(float) + sizeof(std::uint32_t) + soft_sort_floats::item_bytes);
    if (squared() || !(how.temperature <= 1e30)) return false;
    const soft_sort_floats floats(team, scores, n, how.temperature, scratch);
    if (what == sort_product::apply) return floats.apply(team, v, emit);
    if (what == sort_product::transposed) return floats.apply_transposed(team, v, emit);
    return floats.pull(team, v, c, 1.0 / how.temperature, emit);
  }
};

/// soft_sort of long lists, over the grid.
template <class T, class R>
struct soft_sort_steps {
  distance_steps<T, R> distances;
  double *values, *weights, *rests, *as_row;  ///< [items] by position

  explicit soft_sort_steps(tile_arrays& from)
      : distances(from),
        values(from.of_items<double>()),
        weights(from.of_items<double>()),
        rests(from.of_items<double>()),
        as_row(from.of_items<double>()) {}

  template <class Grid, class Values, class Cotangent, class Emit>
  void multiply(const Grid& grid, const soft_sort_list& on, sort_product what, const Values& v,
                const Cotangent& c, const Emit& emit) const {
    const distance_kind kind{1.0 / on.how.temperature, on.squared() ? std::uint64_t{1} : 0};
    using order_type = score_order<T, R>;
    const order_type& order = distances.order;
    const numbers_by_order<order_type, Values> sorted{order, v};
    const numbers_at value{values}, weight{weights}, rest{rests};
    distances.prepare(grid, kind);
    if (on.sorts_hard(what)) {
      if (what == sort_product::apply)
        grid.tiles("soft_sort: sort_values",
                   emit_numbers<numbers_by_order<order_type, Values>, Emit>{sorted, emit});
      else
        grid.tiles("soft_sort: unsort_values",
                   emit_numbers<Values, to_items<order_type, Emit>>{v, {order, emit}});
      return;
    }
    if (what == sort_product::transposed) {
      distances.for_items(grid, kind, one_each{}, none_each{}, none_each{}, keep_weight<Values>{*this, v});
      distances.for_items(grid, kind, weight, none_each{}, none_each{}, put_column<Emit>{order, emit});
      return;
    }
    grid.tiles("soft_sort: fill_values",
               emit_numbers<numbers_by_order<order_type, Values>, to_positions>{sorted, {values}});
    if constexpr (is_given<Cotangent, T, R>) {
      distances.for_items(grid, kind, one_each{}, none_each{}, value, keep_row<Cotangent>{*this, c});
      distances.for_items(grid, kind, weight, rest, value, put_slope<Emit>{on, *this, emit});
    } else {
      distances.for_items(grid, kind, one_each{}, none_each{}, value, put_row<Emit>{value, emit});
    }
  }

  // Where the sums of rows go, and then those of columns.

  template <class Emit>
  struct put_row {
    numbers_at value;
    Emit emit;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, const kernel_sums& row,
                               const kernel_sums&) const {
      emit(list, p, value(list, p) + row.moved / row.mass);
    }
  };
  template <class Values>
  struct keep_weight {
    soft_sort_steps of;
    Values v;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, const kernel_sums& row,
                               const kernel_sums&) const {
      of.weights[list.first + p] = v(list, p) / row.mass;
    }
  };
  template <class Emit>
  struct put_column {
    score_order<T, R> order;
    Emit emit;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, const kernel_sums& column,
                               const kernel_sums&) const {
      emit(list, order.item(list, p), column.mass);
    }
  };
  template <class Cotangent>
  struct keep_row {
    soft_sort_steps of;
    Cotangent c;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, const kernel_sums& row,
                               const kernel_sums& sided) const {
      const auto pulled = soft_sort_list::pulled_row::of(c(list, p), row, sided);
      of.weights[list.first + p] = pulled.weight;
      of.rests[list.first + p] = pulled.rest;
      of.as_row[list.first + p] = pulled.own;
    }
  };
  template <class Emit>
  struct put_slope {
    soft_sort_list on;
    soft_sort_steps of;
    Emit emit;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, const kernel_sums&,
                               const kernel_sums& sided) const {
      emit(list, of.distances.order.item(list, p), on.slope(sided, of.as_row[list.first + p]));
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<soft_sort, cuda::context>
    : cuda::detail::sort_engine<soft_sort, cuda::detail::soft_sort_list, cuda::detail::soft_sort_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
