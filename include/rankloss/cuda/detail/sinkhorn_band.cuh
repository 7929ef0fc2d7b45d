// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/sorts/sinkhorn.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Memory of a list that is scaled, [n] each, by position. E: the type of the entries.
template <class E>
struct sinkhorn_arrays {
  E* gaps;          ///< for the band
  double* rows;     ///< a
  double* columns;  ///< c
  double* next;     ///< c of the step that comes; then scratch
  double* values;   ///< what the matrix is multiplied by
  double* product;  ///< the matrix times that
  double* weights;  ///< what is differentiated is the sum of weights times product; then scratch
  double* more;     ///< unrolled: [steps][n] a before each step; implicit: [of_system][n] scratch

  static constexpr std::size_t item_bytes = sizeof(E) + 6 * sizeof(double);

  __device__ void swap_columns() {
    double* const other = columns;
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

  /// Returns body(arrays, scratch), with what is left of the scratch.
  template <class T, class Body>
  [[nodiscard]] __device__ double with_arrays(std::uint32_t n, team_scratch scratch, team_scratch kept,
                                              Body body) const {
    if (implicit != 0) {
      sinkhorn_arrays<double> arrays = take<double>(n, kept);
      arrays.more = kept.take<double>(of_system * n);
      return body(arrays, scratch);
    }
    sinkhorn_arrays<T> arrays = take<T>(n, scratch);
    arrays.more = kept.take<double>(steps * n);
    return body(arrays, scratch);
  }

 private:
  template <class E>
  [[nodiscard]] static __device__ sinkhorn_arrays<E> take(std::uint32_t n, team_scratch& from) {
    sinkhorn_arrays<E> taken{};
    taken.gaps = from.take<E>(n);
    taken.rows = from.take<double>(n);
    taken.columns = from.take<double>(n);
    taken.next = from.take<double>(n);
    taken.values = from.take<double>(n);
    taken.product = from.take<double>(n);
    taken.weights = from.take<double>(n);
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
template <class E>
class sinkhorn_band {
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
    for (std::uint32_t j = team.rank(); j < n; j += team.size()) own_.columns[j] = 1.0;
    team.sync();
    scale_rows();
    while (steps_ < how.steps) {
      double worst = 0.0;
      for (std::uint32_t j = team.rank(); j < n; j += team.size()) worst = fmax(worst, scale_column(j));
      if (steps_ > 0 && !(greatest(team, worst) > how.tolerance)) return;
      team.sync();
      own_.swap_columns();
      ++steps_;
      scale_rows();
    }
  }

  /// Scales row i.
  __device__ void scale_row(std::uint32_t i) const {
    own_.rows[i] = 1.0 / band_.row_sum(i, [&](std::uint32_t j) { return own_.columns[j]; });
  }
  /// Keeps it, before step k, for what goes back through the steps.
  __device__ void keep_row(std::uint32_t i, std::size_t k) const {
    own_.more[k * band_.size() + i] = own_.rows[i];
  }
  /// Finds what scales column j next. Returns how far its sum is from 1.
  [[nodiscard]] __device__ double scale_column(std::uint32_t j) const {
    const double sum = band_.column_sum(j, [&](std::uint32_t i) { return own_.rows[i]; });
    own_.next[j] = 1.0 / sum;
    return fabs(own_.columns[j] * sum - 1.0);
  }

  /// sum_j A_ij values_j
  [[nodiscard]] __device__ double applied(std::uint32_t i) const {
    return own_.rows[i] * band_.row_sum(i, [&](std::uint32_t j) { return own_.columns[j] * own_.values[j]; });
  }
  /// sum_i A_ij weights_i
  [[nodiscard]] __device__ double applied_transposed(std::uint32_t j) const {
    return own_.columns[j] *
           band_.column_sum(j, [&](std::uint32_t i) { return own_.rows[i] * own_.weights[i]; });
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
    if (implicit_)
      pull_at_fixed_point(team, sums, moments);
    else
      pull_steps(team, sums, moments);
  }

  // Back through the steps that were taken. A step back takes d(f) / d(A) first as the derivative of scaled
  // rows, then as that of scaled columns. What an earlier scaling of rows adds to the sums, the next step
  // takes away: they are those of the first rows, the softmax, alone. Moments come from all steps. `weights`
  // becomes the part of a row.

  __device__ void start_back(std::uint32_t i) const { own_.weights[i] *= own_.rows[i]; }
  /// Step k > 0 back: of all columns, and then of all rows.
  __device__ void pull_column(std::uint32_t j, std::size_t k, double* moments) const {
    const double* const rows = before_step(k);
    double of_column = rows[j], of_moment = 0.0, sum = slope(j, j, k), moment = 0.0;
    band_.walk_column(j, [&](std::uint32_t i, double e) {
      const double apart = band_.apart(i, j), entry = e * rows[i], x = e * slope(i, j, k);
      of_column += entry;
      of_moment = fma(entry, apart, of_moment);
      sum += x;
      moment = fma(x, apart, moment);
    });
    const double c = 1.0 / of_column, by_column = c * sum;
    moments[j] = (k == steps_ ? 0.0 : moments[j]) + c * (moment - by_column * of_moment);
    own_.next[j] = -c * by_column;
  }
  __device__ void pull_row(std::uint32_t i, std::size_t k) const {
    const double row = before_step(k)[i];
    own_.weights[i] = -row * row * band_.row_sum(i, [&](std::uint32_t j) { return own_.next[j]; });
  }
  /// And then the softmax.
  __device__ void pull_first(std::uint32_t j, double* sums, double* moments) const {
    const auto own =
        band_.column_moments(j, [&](std::uint32_t i, std::uint32_t at) { return slope(i, at, 0); });
    sums[j] = own.sum;
    moments[j] = (steps_ == 0 ? 0.0 : moments[j]) + own.moment;
  }

 private:
  /// Rows before step k > 0.
  [[nodiscard]] __device__ const double* before_step(std::size_t k) const {
    return own_.more + (k - 1) * band_.size();
  }
  /// d(f) / d(A_ij), relative to e_ij, before step k back.
  [[nodiscard]] __device__ double slope(std::uint32_t i, std::uint32_t j, std::size_t k) const {
    return k == steps_ ? own_.weights[i] * (own_.values[j] - own_.product[i]) : own_.weights[i];
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
      band_.columns(
          team, [&](std::uint32_t i) { return a[i] * x(i); },
          [&](std::uint32_t j, double own) { emit(j, c[j] * own); });
      team.sync();
    };
    // image = M (A' x - minus), and by_column = c K^-1 (A' x - minus)
    const auto multiply = [&](auto x, auto minus) {
      transposed(x, [&](std::uint32_t j, double own) { by_column[j] = (own - minus(j)) * next[j]; });
      band_.rows(
          team, [&](std::uint32_t j) { return by_column[j]; },
          [&](std::uint32_t i, double own) { image[i] = a[i] * own; });
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
    band_.column_moments(
        team,
        [&](std::uint32_t i, std::uint32_t j) {
          const double slope = fma(own_.weights[i], own_.values[j], -solution[i]);
          return a[i] * fma(c[j], slope, by_column[j]);
        },
        [&](std::uint32_t j, const auto& own) {
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
