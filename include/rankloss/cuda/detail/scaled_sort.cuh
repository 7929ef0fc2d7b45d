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

/// The unit of the numbers that a sort is multiplied with, in lanes of E. Of floats the largest is near 2^50,
/// so that nothing leaves their range, not even where two such numbers are multiplied.
template <class E>
struct sort_units {
  double unit;

  [[nodiscard]] static __device__ sort_units of_largest(double largest) {
    return {sizeof(E) == sizeof(float) ? unit_of(largest) * 0x1p50 : 1.0};
  }
  [[nodiscard]] __device__ state_number<E> in(double x) const { return number<state_number<E>>(x * unit); }
  [[nodiscard]] __device__ double out(double x) const { return x / unit; }

  /// Of x [n].
  template <class Team>
  [[nodiscard]] static __device__ sort_units of(const Team& team, std::uint32_t n, const double* x) {
    if (sizeof(E) > sizeof(float)) return {1.0};
    return of_largest(static_cast<double>(span::of(team, n, x).most));
  }
  /// Whether they hold the products of v with c [n] that a pullback is the sum of, also where none is left of
  /// the largest of them.
  template <class Team>
  [[nodiscard]] static __device__ bool hold(const Team& team, std::uint32_t n, const double* v,
                                            const double* c) {
    return sizeof(E) > sizeof(float) || span::of(team, n, v).width() + span::of(team, n, c).width() <= 150;
  }

 private:
  /// The largest and the least of the sizes of floats that are not 0.
  struct span {
    float most, least;

    template <class Team>
    [[nodiscard]] static __device__ span of(const Team& team, std::uint32_t n, const double* x) {
      span own{0.0f, greatest_number<float>};
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        const float size = fabsf(static_cast<float>(x[i]));
        own.most = fmaxf(own.most, size);
        if (size > 0.0f) own.least = fminf(own.least, size);
      }
      return {greatest(team, own.most), detail::least(team, own.least)};
    }
    /// In powers of two.
    [[nodiscard]] __device__ int width() const { return most > 0.0f ? ilogbf(most) - ilogbf(least) : 0; }
  };
};

/// neural_sort, scaled or not, of one list.
struct scaled_sort {
  sinkhorn_options scaling;

  template <class T>
  static constexpr std::size_t item_bytes = sinkhorn_options::item_bytes<double> + sizeof(T) +
                                            3 * sizeof(double) + sizeof(std::uint32_t);
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
    const bool doubles = what == sort_product::pullback && !sort_units<T>::hold(team, n, v, c);
    (void)scaling.with_arrays<T>(n, scratch, kept, doubles, [&](const auto& arrays, team_scratch rest) {
      multiply<T>(team, n, score, what, v, c, emit, arrays, rest);
      return 0.0;
    });
  }

 private:
  template <class T, class Team, class Score, class Emit, class E>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, const sinkhorn_arrays<E>& arrays,
                           team_scratch scratch) const {
    T* const x = scratch.take<T>(n);
    double* const sums = scratch.take<double>(n);
    double* const moments = scratch.take<double>(n);
    double* const prefix = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const runs_of<T> scores(team, n, x, order, score);
    const auto unit = sort_units<E>::of(team, n, v);
    const auto other = what == sort_product::pullback ? sort_units<E>::of(team, n, c) : unit;
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      arrays.values[p] = unit.in(v[order[p]]);
      if (what != sort_product::apply)
        arrays.weights[p] = other.in(what == sort_product::transposed ? v[p] : c[p]);
    }
    const neural_band<E> band(team, x, n, scaling.temperature, arrays.gaps);
    const sinkhorn_band<E> matrix(team, band, scaling, arrays, what == sort_product::pullback);
    switch (what) {
      case sort_product::apply:
        matrix.apply(team, [&](std::uint32_t p, const auto& own) { emit(p, unit.out(exact_value(own))); });
        break;
      case sort_product::transposed:
        matrix.apply_transposed(
            team, [&](std::uint32_t p, const auto& own) { emit(order[p], unit.out(exact_value(own))); });
        break;
      default:
        for (std::uint32_t p = team.rank(); p < n; p += team.size()) arrays.product[p] = matrix.product_of(p);
        matrix.pull(team, sums, moments);
        neural_gradient(team, scores, n, scaling.temperature, sums, moments, prefix,
                        [&](std::uint32_t p, double slope) { emit(order[p], other.out(unit.out(slope))); });
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
      const auto own = matrix.template arrays_of<E>(grid, how);
      matrix.template scale<E>(grid, how, what == sort_product::pullback);
      if (what == sort_product::transposed) {
        grid.tiles("sorts: fill_weights", fill_weights<E, Values>{own, v});
        matrix.template apply_transposed<E>(grid, how,
                                            to_items<order_type, put<E, Values, Emit>>{order, {v, emit}});
        return;
      }
      grid.tiles("sorts: fill_values", fill_values<E, Values>{own, v});
      if constexpr (is_given<Cotangent, T, R>) {
        grid.tiles("sorts: fill_weights", fill_weights<E, Cotangent>{own, c});
        matrix.template find_product<E>(grid, how);
        matrix.template pull<E>(grid, how, put<E, Cotangent, put<E, Values, Emit>>{c, {v, emit}});
      } else {
        matrix.template apply<E>(grid, how, put<E, Values, Emit>{v, emit});
      }
    });
  }

  template <class E>
  using entries = typename sinkhorn_steps<T, R>::template of_entries<E>;

  template <class E, class Values>
  struct fill_values {
    entries<E> of;
    Values v;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto unit = sort_units<E>::of_largest(v.largest(list));
      auto* const values = of.arrays(list).values;
      tile.for_own(team,
                   [&](std::uint32_t p) { values[p] = unit.in(v(list, of.steps.order.item(list, p))); });
    }
  };
  template <class E, class Numbers>
  struct fill_weights {
    entries<E> of;
    Numbers c;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto unit = sort_units<E>::of_largest(c.largest(list));
      auto* const weights = of.arrays(list).weights;
      tile.for_own(team, [&](std::uint32_t p) { weights[p] = unit.in(c(list, p)); });
    }
  };
  /// Where a product with such numbers goes.
  template <class E, class Numbers, class Emit>
  struct put {
    Numbers numbers;
    Emit emit;

    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
      emit(list, i, sort_units<E>::of_largest(numbers.largest(list)).out(x));
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
