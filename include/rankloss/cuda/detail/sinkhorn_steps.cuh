// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/neural_band_steps.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sinkhorn_band.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// sinkhorn_band of long lists, over the grid: each pass over the band is a launch with a thread for each row
/// or column. As many steps are queued as there may be; a list that has been scaled takes no part in those
/// that remain, so nothing is read back.
///
/// The conjugate gradients of the implicit derivative take rounds until they are done, and are computed by a
/// block for each list.
template <class T, class R>
struct sinkhorn_steps {
  score_order<T, R> order;
  double *gaps, *rows, *columns, *next, *values, *product, *weights;  ///< [items] memory of sinkhorn_arrays
  double* worst;         ///< [parts] how far a column sum is from 1
  std::uint64_t* taken;  ///< [lists] steps that scale the list: all, until it is found that fewer do
  neural_slopes<T, R> slopes;

  explicit sinkhorn_steps(tile_arrays& from)
      : order(from),
        gaps(from.of_items<double>()),
        rows(from.of_items<double>()),
        columns(from.of_items<double>()),
        next(from.of_items<double>()),
        values(from.of_items<double>()),
        product(from.of_items<double>()),
        weights(from.of_items<double>()),
        worst(from.of_tiles<double>(parts_of_tile)),
        taken(from.of_lists<std::uint64_t>()),
        slopes(from) {}

  /// Calls body(x) with a number of the type of the entries, which depends on the options.
  template <class Body>
  static void with_entries(const sinkhorn_options& how, Body body) {
    if (how.implicit != 0)
      body(double{});
    else
      body(T{});
  }

  /// Scales the lists, which `order` has sorted. `differentiated`: whether `pull` is called.
  template <class E, class Grid>
  void scale(const Grid& grid, const sinkhorn_options& how, bool differentiated) const {
    const auto of = arrays_of<E>(grid, how);
    const bool keeps = differentiated && how.implicit == 0;
    grid.tiles("sinkhorn: fill_gaps",
               fill_gaps<E, sorted_scores<T, R>>{1.0 / how.temperature, {order}, of.arrays().gaps});
    grid.tiles("sinkhorn: start", start<E>{of});
    grid.rows("sinkhorn: scale_rows", scale_rows<E>{of, 0, keeps && how.steps > 0});
    for (std::size_t k = 0; k < how.steps; ++k) {
      grid.rows("sinkhorn: scale_columns", scale_columns<E>{of, k});
      if (k > 0) grid.lists("sinkhorn: stop", stop{*this, k, how.tolerance});
      grid.rows("sinkhorn: scale_rows", scale_rows<E>{of, k + 1, keeps && k + 1 < how.steps});
    }
  }
  /// Calls emit(list, p, x) on the device for each row of the scaled matrix times `values`, or for each
  /// column of it times `weights`.
  template <class E, class Grid, class Emit>
  void apply(const Grid& grid, const sinkhorn_options& how, const Emit& emit) const {
    grid.rows("sinkhorn: apply", apply_rows<E, Emit>{arrays_of<E>(grid, how), emit});
  }
  /// Keeps the rows as `product`.
  template <class E, class Grid>
  void find_product(const Grid& grid, const sinkhorn_options& how) const {
    grid.rows("sinkhorn: find_product", keep_product<E>{arrays_of<E>(grid, how)});
  }
  template <class E, class Grid, class Emit>
  void apply_transposed(const Grid& grid, const sinkhorn_options& how, const Emit& emit) const {
    grid.rows("sinkhorn: apply_transposed", apply_columns<E, Emit>{arrays_of<E>(grid, how), emit});
  }
  /// Calls emit(list, i, slope) on the device for each item: the gradient by the scores of the sum of
  /// `weights` times `product`. Both are overwritten.
  template <class E, class Grid, class Emit>
  void pull(const Grid& grid, const sinkhorn_options& how, const Emit& emit) const {
    const auto of = arrays_of<E>(grid, how);
    if (how.implicit != 0) {
      grid.lists("sinkhorn: pull_at_fixed_point", pull_at_fixed_point<E>{of});
    } else {
      grid.tiles("sinkhorn: start_back", start_back<E>{of});
      for (std::size_t k = how.steps; k > 0; --k) {
        grid.rows("sinkhorn: pull_columns", pull_columns<E>{of, k});
        grid.rows("sinkhorn: pull_rows", pull_rows<E>{of, k});
      }
      grid.rows("sinkhorn: pull_first", pull_first<E>{of});
    }
    slopes.put(grid, order, how.temperature, emit);
  }

  /// What the steps are given.
  template <class E>
  struct of_entries;
  template <class E, class Grid>
  [[nodiscard]] of_entries<E> arrays_of(const Grid& grid, const sinkhorn_options& how) const {
    return {*this, how, grid.kept()};
  }
  template <class E>
  struct of_entries {
    sinkhorn_steps steps;
    sinkhorn_options how;
    kept_memory kept;

    /// The arrays of all lists, and those of one.
    [[nodiscard]] RANKLOSS_HOST_DEVICE sinkhorn_arrays<E> arrays() const {
      using exact = typename sinkhorn_arrays<E>::exact;
      const auto of = [](double* memory) { return reinterpret_cast<exact*>(memory); };
      return {reinterpret_cast<E*>(steps.gaps),
              of(steps.rows),
              of(steps.columns),
              of(steps.next),
              of(steps.values),
              of(steps.product),
              of(steps.weights),
              nullptr};
    }
    [[nodiscard]] __device__ sinkhorn_arrays<E> arrays(const grid_list<T, R>& list) const {
      sinkhorn_arrays<E> own = arrays();
      own.gaps += list.first;
      own.rows += list.first;
      own.columns += list.first;
      own.next += list.first;
      own.values += list.first;
      own.product += list.first;
      own.weights += list.first;
      own.more = reinterpret_cast<state_number<E>*>(kept.of(list));
      return own;
    }
    /// A list with what scales it before step k.
    [[nodiscard]] __device__ sinkhorn_band<E> before(const grid_list<T, R>& list, std::size_t k) const {
      sinkhorn_arrays<E> own = arrays(list);
      if (k % 2 > 0) own.swap_columns();
      return {neural_band<E>(own.gaps, list.size()), own, steps.taken[list.at], how.implicit != 0};
    }
    /// Behind all steps.
    [[nodiscard]] __device__ sinkhorn_band<E> scaled(const grid_list<T, R>& list) const {
      return before(list, steps.taken[list.at]);
    }
    [[nodiscard]] __device__ bool takes(const grid_list<T, R>& list, std::size_t k) const {
      return k <= steps.taken[list.at];
    }
  };

  template <class E>
  struct start {
    of_entries<E> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team,
                   [&](std::uint32_t p) { of.arrays(list).columns[p] = number<state_number<E>>(1.0f); });
      if (tile.index == 0 && team.rank() == 0) of.steps.taken[list.at] = of.how.steps;
    }
  };

  /// Rows before step k, which a derivative may need.
  template <class E>
  struct scale_rows {
    of_entries<E> of;
    std::size_t k;
    std::uint64_t keeps;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (!of.takes(list, k)) return;
      const auto matrix = of.before(list, k);
      part.for_own(team, [&](std::uint32_t i) {
        matrix.scale_row(i);
        if (keeps != 0) matrix.keep_row(i, k);
      });
    }
  };

  /// Columns of step k.
  template <class E>
  struct scale_columns {
    of_entries<E> of;
    std::size_t k;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (!of.takes(list, k + 1)) return;
      const auto matrix = of.before(list, k);
      decltype(matrix.scale_column(0)) own{0};
      part.for_own(team, [&](std::uint32_t j) {
        const auto apart = matrix.scale_column(j);
        own = own < apart ? apart : own;
      });
      own = greatest(team, own);
      if (team.rank() == 0) of.steps.worst[list.part() + part.index] = static_cast<double>(own);
    }
  };

  /// Whether step k is taken.
  struct stop {
    sinkhorn_steps of;
    std::size_t k;
    double tolerance;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      if (k >= of.taken[list.at]) return;
      double own = 0.0;
      for (std::uint32_t p = team.rank(); p < list.parts(); p += team.size())
        own = fmax(own, of.worst[list.part() + p]);
      own = greatest(team, own);
      if (team.rank() == 0 && !(own > tolerance)) of.taken[list.at] = k;
    }
  };

  template <class E>
  struct keep_product {
    of_entries<E> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto matrix = of.scaled(list);
      auto* const products = of.arrays(list).product;
      part.for_own(team, [&](std::uint32_t i) { products[i] = matrix.product_of(i); });
    }
  };
  template <class E, class Emit>
  struct apply_rows {
    of_entries<E> of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto matrix = of.scaled(list);
      part.for_own(team, [&](std::uint32_t i) { emit(list, i, exact_value(matrix.applied(i))); });
    }
  };
  template <class E, class Emit>
  struct apply_columns {
    of_entries<E> of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto matrix = of.scaled(list);
      part.for_own(team, [&](std::uint32_t j) { emit(list, j, exact_value(matrix.applied_transposed(j))); });
    }
  };

  template <class E>
  struct start_back {
    of_entries<E> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto matrix = of.scaled(list);
      tile.for_own(team, [&](std::uint32_t i) { matrix.start_back(i); });
    }
  };
  template <class E>
  struct pull_columns {
    of_entries<E> of;
    std::size_t k;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (!of.takes(list, k)) return;
      const auto matrix = of.scaled(list);
      double* const moments = of.steps.slopes.moments + list.first;
      part.for_own(team, [&](std::uint32_t j) { matrix.pull_column(j, k, moments); });
    }
  };
  template <class E>
  struct pull_rows {
    of_entries<E> of;
    std::size_t k;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (!of.takes(list, k)) return;
      const auto matrix = of.scaled(list);
      part.for_own(team, [&](std::uint32_t i) { matrix.pull_row(i, k); });
    }
  };
  template <class E>
  struct pull_first {
    of_entries<E> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const auto matrix = of.scaled(list);
      const neural_slopes<T, R>& into = of.steps.slopes;
      part.for_own(team, [&](std::uint32_t j) {
        matrix.pull_first(j, into.sums + list.first, into.moments + list.first);
      });
    }
  };
  template <class E>
  struct pull_at_fixed_point {
    of_entries<E> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const neural_slopes<T, R>& into = of.steps.slopes;
      of.scaled(list).pull(team, into.sums + list.first, into.moments + list.first);
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
