// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_functions.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>

/// Ranks of lists that are too long for one block, over the grid. Steps<T, R> of ranks are a struct made from
/// tile_arrays, with
///
///     prepare(grid, on)        sorts the scores, and what else is needed before the others
///     values(grid, on, emit)   calls emit(list, i, rank) on the device for each item
///     pull(grid, on, input, emit)
///                              calls emit(list, i, x) with the product of the input and the Jacobian
///     pulls_after_values       optional: `values` has to be called before, with to_nowhere where no ranks are
///                              asked for
///     push(grid, on, input, emit)
///                              the same with the transpose, where that is another one
///     order                    the score_order of the lists
///
/// which queue steps; `on` is the struct that rank_list.cuh describes.
///
/// `input(list, i)` is a number of each item, and input.largest(list) the largest of them but for the sign. Both
/// and `emit` are structs that kernels are given by value.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Where numbers of items go: to an array in the order of the batch;
struct to_array {
  double* to;

  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
    to[list.items.at(i)] = x;
  }
};
/// nowhere;
struct to_nowhere {
  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>&, std::uint32_t, double) const {}
};
/// or to where a function of scores writes.
struct to_sink {
  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
    list.sink.put(i, held_as<T>(x));
  }
};

/// What a product with the Jacobian is formed with: numbers of the batch, or of an array in its order.
template <class X>
struct numbers_of_items {
  const X* numbers;

  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t i) const {
    return static_cast<double>(numbers[list.items.at(i)]);
  }
};

// Numbers of the positions of long lists: those of an array; and, of numbers by item, those of the items that
// stand there.
struct numbers_at {
  const double* numbers;

  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
    return numbers[list.first + p];
  }
};
template <class Order, class Numbers>
struct numbers_by_order {
  Order order;
  Numbers numbers;

  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
    return numbers(list, order.item(list, p));
  }
};
// Where numbers of positions go: to an array; or to where those of the items go that stand there.
struct to_positions {
  double* to;

  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, double x) const {
    to[list.first + p] = x;
  }
};
template <class Order, class Emit>
struct to_items {
  Order order;
  Emit emit;

  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>& list, std::uint32_t p, double x) const {
    emit(list, order.item(list, p), x);
  }
};
/// Brings numbers where they go.
template <class Numbers, class Emit>
struct emit_numbers {
  Numbers numbers;
  Emit emit;

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    tile.for_own(team, [&](std::uint32_t p) { emit(list, p, numbers(list, p)); });
  }
};

/// The unit of the numbers of a list, and the largest of them in it.
struct number_unit {
  double unit, largest;
};
/// The same numbers in units in which no sum of them overflows; see into_units.
template <class Numbers>
struct in_units {
  Numbers numbers;
  const number_unit* units;  ///< [lists]

  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t i) const {
    return numbers(list, i) * units[list.at].unit;
  }
  template <class T, class R>
  [[nodiscard]] __device__ double largest(const grid_list<T, R>& list) const {
    return units[list.at].largest;
  }
};
/// Where a product of these goes: what comes from them is divided by their unit.
template <class Emit>
struct out_of_units {
  Emit emit;
  const number_unit* units;  ///< [lists]

  template <class T, class R>
  __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
    emit(list, i, x / units[list.at].unit);
  }
};

template <class Numbers>
struct find_largest {
  tile_maxima maxima;
  Numbers numbers;

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    double own = 0.0;
    tile.for_own(team, [&](std::uint32_t i) { own = fmax(own, fabs(numbers(list, i))); });
    maxima.leave(team, list, tile, own);
  }
};
struct choose_product_unit {
  tile_maxima maxima;
  number_unit* units;

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
    const double largest = maxima.of(team, list), unit = product_unit(largest);
    if (team.rank() == 0) units[list.at] = {unit, largest * unit};
  }
};
/// Finds the units of lists.
struct product_units {
  tile_maxima maxima;
  number_unit* units;  ///< [lists]

  explicit product_units(tile_arrays& from) : maxima(from), units(from.of_lists<number_unit>()) {}

  template <class Grid, class Numbers>
  [[nodiscard]] in_units<Numbers> measure(const Grid& grid, const Numbers& numbers) const {
    grid.tiles("products: find_largest", find_largest<Numbers>{maxima, numbers});
    grid.lists("products: choose_unit", choose_product_unit{maxima, units});
    return {numbers, units};
  }
  template <class Emit>
  [[nodiscard]] out_of_units<Emit> undo(const Emit& emit) const {
    return {emit, units};
  }
};

/// Gives items of equal score the same number, by item: that of the first of them by position.
template <class T, class R>
struct unite_scores {
  score_order<T, R> order;
  double* numbers;  ///< in the order of the batch

  template <class Team, class Compute>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    const auto runs = order.runs(list);
    tile.for_own(team, [&](std::uint32_t p) {
      if (p == 0 || runs.keys[p] != runs.keys[p - 1]) return;
      numbers[list.items.at(order.item(list, p))] = numbers[list.items.at(order.item(list, runs.begin(p)))];
    });
  }
};

/// The steps of rank_list: ranks, or a product with their Jacobian.
template <template <class, class> class Steps>
struct rank_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    Steps<T, R> ranks;
    product_units units;

    explicit arrays(tile_arrays& from) : ranks(from), units(from) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const auto& call = grid.compute();
    of.ranks.prepare(grid, call.on);
    if (call.input.empty()) {
      of.ranks.values(grid, call.on, to_sink{});
    } else if constexpr (requires {
                           of.ranks.pull(grid, call.on, in_units<numbers_of_items<T>>{}, to_sink{});
                         }) {
      if constexpr (requires { Steps<T, R>::pulls_after_values; })
        of.ranks.values(grid, call.on, to_nowhere{});
      const auto input = of.units.measure(grid, numbers_of_items<T>{call.input.data()});
      const auto put = of.units.undo(to_sink{});
      if constexpr (requires { of.ranks.push(grid, call.on, input, put); })
        call.kind == fault::tangent ? of.ranks.push(grid, call.on, input, put)
                                    : of.ranks.pull(grid, call.on, input, put);
      else
        of.ranks.pull(grid, call.on, input, put);
    }
  }
};

/// Of ranks whose long lists are computed by one block, too.
template <class T, class R>
struct no_steps;
template <template <class, class> class Steps, template <template <class, class> class> class By>
struct grid_by_ranks : over_grid<By<Steps>> {};
template <template <template <class, class> class> class By>
struct grid_by_ranks<no_steps, By> : one_block_each {};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
