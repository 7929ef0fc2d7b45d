// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/sorts/sinkhorn.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Memory of a list that is scaled, [n] each, by position. E: the type of the entries.
template <class E>
struct sinkhorn_arrays {
  using exact = state_number<E>;

  E* gaps;         ///< for the band
  exact* rows;     ///< a
  exact* columns;  ///< c
  exact* next;     ///< c of the step that comes; then scratch
  exact* values;   ///< what the matrix is multiplied by
  exact* product;  ///< the matrix times that
  exact* weights;  ///< what is differentiated is the sum of weights times product; then scratch
  exact* more;     ///< unrolled: [steps][n] a before each step; implicit: [of_system][n] scratch

  static constexpr std::size_t item_bytes = sizeof(E) + 6 * sizeof(exact);

  __device__ void swap_columns() {
    exact* const other = columns;
    columns = next;
    next = other;
  }
};

/// How a NeuralSort matrix is scaled, and where its arrays are from.
struct sinkhorn_options {
  double temperature;
  std::size_t steps;
  double tolerance;
  std::uint64_t implicit;  ///< not 0: the derivative is that at the fixed point

  [[nodiscard]] static sinkhorn_options of(double temperature, std::size_t steps, double tolerance,
                                           sinkhorn_derivative derivative) {
    return {temperature, steps, tolerance,
            derivative == sinkhorn_derivative::implicit && steps > 0 ? std::uint64_t{1} : 0};
  }

  /// Scratch of an item.
  template <class T>
  static constexpr std::size_t item_bytes = sinkhorn_arrays<T>::item_bytes;
  /// Arrays of the implicit derivative besides those of the scaling.
  static constexpr std::size_t of_system = 6;

  /// Memory of the device for an item, besides. The implicit derivative is computed in doubles, because
  /// conjugate gradients need a matrix that is symmetric to rounding; its arrays lie here.
  [[nodiscard]] std::size_t kept_bytes() const {
    if (implicit != 0) return sinkhorn_arrays<double>::item_bytes + of_system * sizeof(double);
    return steps * sizeof(double);
  }

  /// Returns body(arrays, scratch), with what is left of the scratch. `doubles`: the arithmetic is double for
  /// scores of either type.
  template <class T, class Body>
  [[nodiscard]] __device__ double with_arrays(std::uint32_t n, team_scratch scratch, team_scratch kept,
                                              bool doubles, Body body) const {
    if (implicit != 0 || doubles) {
      sinkhorn_arrays<double> arrays = take<double>(n, implicit != 0 ? kept : scratch);
      arrays.more = kept.take<double>((implicit != 0 ? of_system : steps) * n);
      return body(arrays, scratch);
    }
    sinkhorn_arrays<T> arrays = take<T>(n, scratch);
    arrays.more = kept.take<state_number<T>>(steps * n);
    return body(arrays, scratch);
  }

 private:
  template <class E>
  [[nodiscard]] static __device__ sinkhorn_arrays<E> take(std::uint32_t n, team_scratch& from) {
    using exact = typename sinkhorn_arrays<E>::exact;
    sinkhorn_arrays<E> taken{};
    taken.gaps = from.take<E>(n);
    taken.rows = from.take<exact>(n);
    taken.columns = from.take<exact>(n);
    taken.next = from.take<exact>(n);
    taken.values = from.take<exact>(n);
    taken.product = from.take<exact>(n);
    taken.weights = from.take<exact>(n);
    return taken;
  }
};

/// Sinkhorn's scaling of a NeuralSort band, and its derivatives: detail/band/sinkhorn_band.hpp, without the
/// band being kept. Entries are computed again in every pass, so that scratch is O(n) and known before the
/// scores are.
///
/// A step scales columns, then rows. With the row sums of e folded into the rows, the scaled matrix is
///
///     A_ij = a_i e_ij c_j,     c_j = 1 / sum_i a_i e_ij,  a_i = 1 / sum_j e_ij c_j      from c = 1
///
/// A row's own entry e_ii is 1, so no sum vanishes.
///
/// Entries are of type E, and numbers of rows and columns state_number<E>: a derivative is a small difference
/// of what the steps add to it, and has its digits only if all of that is computed from the same entries.
template <class E>
class sinkhorn_band {
  using exact = typename sinkhorn_arrays<E>::exact;
  using lane = decltype(leading(exact{}));

 public:
  /// Of arrays that are scaled, or are to be: by `steps` steps.
  __device__ sinkhorn_band(const neural_band<E>& band, const sinkhorn_arrays<E>& arrays, std::size_t steps,
                           bool implicit)
      : band_(band), own_(arrays), implicit_(implicit), steps_(steps) {}

  /// Scales the band. `differentiated`: whether `pull` is called.
  template <class Team>
  __device__ sinkhorn_band(const Team& team, const neural_band<E>& band, const sinkhorn_options& how,
                           const sinkhorn_arrays<E>& arrays, bool differentiated)
      : sinkhorn_band(band, arrays, 0, how.implicit != 0) {
    const std::uint32_t n = band_.size();
    const auto scale_rows = [&] {
      const bool keeps = differentiated && !implicit_ && steps_ < how.steps;
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        scale_row(i);
        if (keeps) keep_row(i, steps_);
      }
      team.sync();
    };
    for (std::uint32_t j = team.rank(); j < n; j += team.size()) own_.columns[j] = number<exact>(1.0f);
    team.sync();
    scale_rows();
    while (steps_ < how.steps) {
      lane worst{0};
      for (std::uint32_t j = team.rank(); j < n; j += team.size()) {
        const lane apart = scale_column(j);
        worst = worst < apart ? apart : worst;
      }
      if (steps_ > 0 && !(static_cast<double>(greatest(team, worst)) > how.tolerance)) return;
      team.sync();
      own_.swap_columns();
      ++steps_;
      scale_rows();
    }
  }

  /// Scales row i.
  __device__ void scale_row(std::uint32_t i) const {
    const exact* const c = own_.columns;
    own_.rows[i] = inverse(band_.row_sum(at(i), c[i], [c](std::int32_t j) { return c[j]; }));
  }
  /// Keeps it, before step k, for what goes back through the steps.
  __device__ void keep_row(std::uint32_t i, std::size_t k) const {
    own_.more[k * band_.size() + i] = own_.rows[i];
  }
  /// Finds what scales column j next. Returns how far its sum is from 1.
  [[nodiscard]] __device__ lane scale_column(std::uint32_t j) const {
    const exact* const a = own_.rows;
    const exact sum = band_.column_sum(at(j), a[j], [a](std::int32_t i) { return a[i]; });
    own_.next[j] = inverse(sum);
    const lane excess = rounded(own_.columns[j] * sum - number<exact>(1.0f));
    return excess < lane{0} ? -excess : excess;
  }

  /// sum_j A_ij values_j: as what is written, and with all digits that a derivative needs.
  [[nodiscard]] __device__ exact applied(std::uint32_t i) const {
    const exact* const c = own_.columns;
    return applied(i, [c](std::int32_t j, const exact& v, const exact& own) {
      return leading(c[j]) * difference(v, own);
    });
  }
  [[nodiscard]] __device__ exact product_of(std::uint32_t i) const {
    const exact* const c = own_.columns;
    return applied(i, [c](std::int32_t j, const exact& v, const exact& own) { return c[j] * (v - own); });
  }
  /// sum_i A_ij weights_i
  [[nodiscard]] __device__ exact applied_transposed(std::uint32_t j) const {
    const exact *const a = own_.rows, *const w = own_.weights;
    const auto scaled = [=](std::int32_t i) { return leading(a[i]) * leading(w[i]); };
    return own_.columns[j] * band_.column_sum(at(j), number<exact>(scaled(at(j))), scaled);
  }
  /// Calls emit(i, applied) for every row.
  template <class Team, class Emit>
  __device__ void apply(const Team& team, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < band_.size(); i += team.size()) emit(i, applied(i));
  }
  /// Calls emit(j, applied_transposed) for every column.
  template <class Team, class Emit>
  __device__ void apply_transposed(const Team& team, Emit emit) const {
    for (std::uint32_t j = team.rank(); j < band_.size(); j += team.size()) emit(j, applied_transposed(j));
  }

  /// Column sums and moments of d(f) / d(logits) for f = sum_ij weights_i A_ij values_j, where `product` is A
  /// values. Product and weights may be overwritten.
  template <class Team>
  __device__ void pull(const Team& team, double* sums, double* moments) const {
    if constexpr (std::is_same_v<E, double>) {
      if (implicit_) {
        pull_at_fixed_point(team, sums, moments);
        return;
      }
    }
    pull_steps(team, sums, moments);
  }

  // Back through the steps that were taken. A step back takes d(f) / d(A) first as the derivative of scaled
  // rows, then as that of scaled columns. What an earlier scaling of rows adds to the sums, the next step
  // takes away: they are those of the first rows, the softmax, alone. Moments come from all steps. `weights`
  // becomes the part of a row.

  __device__ void start_back(std::uint32_t i) const { own_.weights[i] = own_.weights[i] * own_.rows[i]; }
  /// Step k > 0 back: of all columns, and then of all rows.
  __device__ void pull_column(std::uint32_t j, std::size_t k, double* moments) const {
    const exact *const rows = before_step(k), *const weights = own_.weights;
    if (k == steps_)
      moments[j] = pull_column(at(j), rows, last_slope(j));
    else
      moments[j] += pull_column(at(j), rows, [weights](std::int32_t i) { return weights[i]; });
  }
  __device__ void pull_row(std::uint32_t i, std::size_t k) const {
    const exact row = before_step(k)[i];
    const exact* const next = own_.next;
    own_.weights[i] = row * (row * band_.row_sum(at(i), next[i], [next](std::int32_t j) { return next[j]; }));
  }
  /// And then the softmax.
  __device__ void pull_first(std::uint32_t j, double* sums, double* moments) const {
    if (steps_ == 0) {
      const auto slope = last_slope(j);
      const auto own = band_.column_moments(at(j), slope(at(j)), slope);
      sums[j] = own.sum;
      moments[j] = own.moment;
    } else {
      const exact* const weights = own_.weights;
      const auto own =
          band_.column_moments(at(j), weights[j], [weights](std::int32_t i) { return weights[i]; });
      sums[j] = own.sum;
      moments[j] += own.moment;
    }
  }

 private:
  [[nodiscard]] static __device__ std::int32_t at(std::uint32_t i) { return static_cast<std::int32_t>(i); }
  /// Rows before step k > 0.
  [[nodiscard]] __device__ const exact* before_step(std::size_t k) const {
    return own_.more + (k - 1) * band_.size();
  }
  /// d(f) / d(A_ij), relative to e_ij, before the last step back.
  [[nodiscard]] __device__ auto last_slope(std::uint32_t j) const {
    const exact *const weights = own_.weights, *const product = own_.product, own = own_.values[j];
    return [=](std::int32_t i) { return weights[i] * (own - product[i]); };
  }
  template <class Term>
  [[nodiscard]] __device__ exact applied(std::uint32_t i, Term term) const {
    const exact* const v = own_.values;
    const exact own = v[i];
    const exact apart =
        band_.row_sum(at(i), number<exact>(0.0f), [=](std::int32_t j) { return term(j, v[j], own); });
    return multiply_add(own_.rows[i], apart, own);
  }
  /// Pulls column j of a step back; returns its moment.
  template <class Slope>
  [[nodiscard]] __device__ double pull_column(std::int32_t j, const exact* rows, Slope slope) const {
    const exact none = number<exact>(0.0f);
    band_sum<exact> of_column(rows[j]), of_moment(none), sum(slope(j)), moment(none);
    band_.walk_column(
        j,
        [&](std::int32_t i, E apart, E e) {
          const exact entry = product(e, rows[i]), x = product(e, slope(i));
          of_column.add(E{1}, entry);
          of_moment.add(apart, entry);
          sum.add(E{1}, x);
          moment.add(apart, x);
        },
        [] {});
    const exact c = inverse(of_column.number()), by_column = c * sum.number();
    own_.next[j] = c * by_column;
    return exact_value(c * (moment.number() - by_column * of_moment.number()));
  }

  template <class Team>
  __device__ void pull_steps(const Team& team, double* sums, double* moments) const {
    const std::uint32_t n = band_.size();
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) start_back(i);
    team.sync();
    for (std::size_t k = steps_; k > 0; --k) {
      for (std::uint32_t j = team.rank(); j < n; j += team.size()) pull_column(j, k, moments);
      team.sync();
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) pull_row(i, k);
      team.sync();
    }
    for (std::uint32_t j = team.rank(); j < n; j += team.size()) pull_first(j, sums, moments);
  }

  /// At the fixed point to which the steps converge, as detail/band/sinkhorn_pullback.hpp derives it: with u_i
  /// = weights_i product_i, v_j = values_j (A' weights)_j and K the column sums of A,
  ///
  ///     s = u + M (A' s - v),     M = A K^-1
  ///     D_ij = A_ij (weights_i values_j - s_i + ((A' s - v) / K)_j)
  ///
  /// is solved by conjugate gradients. In D, s stands as the right side of its equation, so that the rows of D
  /// sum to 0 whatever is left of the residual.
  template <class Team>
  __device__ void pull_at_fixed_point(const Team& team, double* sums, double* moments) const {
    constexpr int most = 10000;
    constexpr double solved = 1e-12;  // of the residual's first norm
    constexpr double flat = 1e-14;    // curvature that is rounding error
    const std::uint32_t n = band_.size();
    const double *const a = own_.rows, *const c = own_.columns;
    double *const next = own_.more, *const constant = next + n, *const solution = constant + n,
                  *const residual = solution + n, *const direction = residual + n,
                  *const image = direction + n;
    double* const by_column = own_.next;
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    const auto dot = [&](const double* x, const double* y) {
      double own = 0.0;
      for_own([&](std::uint32_t i) { own = fma(x[i], y[i], own); });
      return sum(team, own);
    };
    // emit(j, (A' x)_j)
    const auto transposed = [&](auto x, auto emit) {
      team.sync();
      const auto scaled = [&](std::int32_t i) { return a[i] * x(static_cast<std::uint32_t>(i)); };
      for_own([&](std::uint32_t j) { emit(j, c[j] * band_.column_sum(at(j), scaled(at(j)), scaled)); });
      team.sync();
    };
    // image = M (A' x - minus), and by_column = c K^-1 (A' x - minus)
    const auto multiply = [&](auto x, auto minus) {
      transposed(x, [&](std::uint32_t j, double own) { by_column[j] = (own - minus(j)) * next[j]; });
      for_own([&](std::uint32_t i) {
        image[i] = a[i] * band_.row_sum(at(i), by_column[i], [&](std::int32_t j) { return by_column[j]; });
      });
    };
    const auto u = [&](std::uint32_t i) { return own_.weights[i] * own_.product[i]; };
    const auto v = [&](std::uint32_t j) { return constant[j]; };
    transposed([](std::uint32_t) { return 1.0; }, [&](std::uint32_t j, double own) { next[j] = c[j] / own; });
    transposed([&](std::uint32_t i) { return own_.weights[i]; },
               [&](std::uint32_t j, double own) { constant[j] = own_.values[j] * own; });
    multiply(u, v);
    // The system is scaled by its largest entry, so that squares neither overflow nor underflow.
    double largest = 0.0;
    for_own([&](std::uint32_t i) { largest = fmax(largest, fabs(image[i])); });
    largest = greatest(team, largest);
    bool goes = largest > least_normal<double>;
    const double unit = goes ? largest : 1.0;
    for_own([&](std::uint32_t i) {
      residual[i] = direction[i] = image[i] / unit;
      solution[i] = u(i);
    });
    double norm = dot(residual, residual);
    const double enough = norm * (solved * solved);
    for (int k = 0; k < most && goes; ++k) {
      multiply([&](std::uint32_t i) { return direction[i]; }, [](std::uint32_t) { return 0.0; });
      for_own([&](std::uint32_t i) { image[i] = direction[i] - image[i]; });
      const double curvature = dot(direction, image);
      if (!(curvature > flat * dot(direction, direction))) break;
      const double length = norm / curvature;
      for_own([&](std::uint32_t i) {
        solution[i] = fma(length * unit, direction[i], solution[i]);
        residual[i] = fma(-length, image[i], residual[i]);
      });
      const double now = dot(residual, residual);
      goes = now > enough;
      const double turn = now / norm;
      for_own([&](std::uint32_t i) { direction[i] = fma(turn, direction[i], residual[i]); });
      norm = now;
    }
    multiply([&](std::uint32_t i) { return solution[i]; }, v);
    for_own([&](std::uint32_t i) { solution[i] = u(i) + image[i]; });
    team.sync();
    for_own([&](std::uint32_t j) {
      const auto slope = [&](std::int32_t i) {
        return a[i] * fma(c[j], fma(own_.weights[i], own_.values[j], -solution[i]), by_column[j]);
      };
      const auto own = band_.column_moments(at(j), slope(at(j)), slope);
      sums[j] = own.sum;
      moments[j] = own.moment;
    });
  }

  neural_band<E> band_;
  sinkhorn_arrays<E> own_;
  bool implicit_;
  std::size_t steps_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
