// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

/// The series of cell_sums.hpp: the kernels as polynomials in the coordinate of an item within its cell.
namespace rankloss::inline RANKLOSS_ABI::detail {

// Made by scripts/fit_terms.py: the kernels of sorted_sums.hpp for distances from half a temperature on.
// far_sigmoid_8: largest error 6.4e-08, sum of magnitudes 6.3
inline constexpr std::array<double, 8> far_sigmoid_8{
    0.9999999361209279, -0.9999857395421965, 0.999475715276096,  -0.9925656864285941,
    0.9469208698100708, -0.7840549404058366, 0.4634108705490211, -0.13571857177554075};
// far_slope_8: largest error 4.6e-07, sum of magnitudes 22.6
inline constexpr std::array<double, 8> far_slope_8{
    0.9999995442307129, -1.9998974263000187, 2.996196506364949, -3.9455119574268855,
    4.6056328507805855, -4.363160030862625,  2.800406684045359, -0.8609978308407724};
// far_sigmoid_18: largest error 3.2e-17, sum of magnitudes 14.2
inline constexpr std::array<double, 18> far_sigmoid_18{1.0,
                                                       -0.9999999999999647,
                                                       0.9999999999935457,
                                                       -0.9999999995326122,
                                                       0.9999999821190286,
                                                       -0.9999995826759052,
                                                       0.9999935283641403,
                                                       -0.9999295175853171,
                                                       0.9994400997108286,
                                                       -0.9966684094680811,
                                                       0.9848666536332791,
                                                       -0.9467997167678751,
                                                       0.8537406777205895,
                                                       -0.68255549098993,
                                                       0.4495582626815543,
                                                       -0.22211682638563862,
                                                       0.07159536571016639,
                                                       -0.011128454714737276};
// far_slope_18: largest error 4.8e-16, sum of magnitudes 106.9
inline constexpr std::array<double, 18> far_slope_18{
    0.9999999999999996,  -1.9999999999994675, 2.9999999999026494,  -3.9999999929374623, 4.999999729278028,
    -5.9999936680236186, 6.999901568674756,   -7.998924969077862,  8.99143149218546,    -9.948804866226837,
    10.766243441777199,  -11.172668818960895, 10.704658434576785,  -8.954544246650318,  6.091440626436377,
    -3.07843593592559,   1.008123198442119,   -0.15847666979639277};

template <class T>
struct cell_constants {
  static constexpr std::size_t coefficients = by_precision<T>(8, 16);  // P
  static constexpr std::size_t K = by_precision<T>(8, 18);
  static constexpr std::size_t exponents = by_precision<T>(8, 24);  // K, padded to whole vectors
  static constexpr double half_width = 0.25;                        // of a cell, in temperatures

  using by_coefficient = std::array<double, coefficients>;

  /// (k h)^p / p!, the series of exp(k h d) in d.
  static constexpr std::array<by_coefficient, K> exponential_series() {
    std::array<by_coefficient, K> series{};
    for (std::size_t k = 0; k < K; ++k) {
      double term = 1.0;
      for (std::size_t p = 0; p < coefficients; ++p) {
        series[k][p] = term;
        term *= static_cast<double>(k + 1) * half_width / static_cast<double>(p + 1);
      }
    }
    return series;
  }
  static constexpr auto exponential = exponential_series();

  /// The same by coefficient: [p][k], for sums over p.
  static constexpr std::array<std::array<double, exponents>, coefficients> transposed_series() {
    std::array<std::array<double, exponents>, coefficients> series{};
    for (std::size_t p = 0; p < coefficients; ++p)
      for (std::size_t k = 0; k < K; ++k) series[p][k] = exponential[k][p];
    return series;
  }
  static constexpr auto exponential_by_coefficient = transposed_series();

  /// Taylor coefficients of the kernel f at x: f(x + z) = sum_n c_n z^n, for f = sigmoid or sigmoid'.
  static constexpr std::array<double, 2 * coefficients> kernel_series(bool slope, double exp_minus_x) {
    // 1 / (1 + e^-x e^-z), by inverting the series of the denominator.
    std::array<double, 2 * coefficients + 1> denominator{}, sigmoid{};
    double term = exp_minus_x;
    for (std::size_t p = 0; p < sigmoid.size(); ++p) {
      denominator[p] = term + (p == 0 ? 1.0 : 0.0);
      term *= -1.0 / static_cast<double>(p + 1);
    }
    for (std::size_t p = 0; p < sigmoid.size(); ++p) {
      double sum = p == 0 ? 1.0 : 0.0;
      for (std::size_t q = 1; q <= p; ++q) sum -= denominator[q] * sigmoid[p - q];
      sigmoid[p] = sum / denominator[0];
    }
    std::array<double, 2 * coefficients> series{};
    for (std::size_t n = 0; n < series.size(); ++n)
      series[n] = slope ? static_cast<double>(n + 1) * sigmoid[n + 1] : sigmoid[n];
    return series;
  }

  /// [q][p]: what moment q of a cell adds to the coefficient of d^p of another cell, or of the same cell, for
  /// f(x_j - x_i) = f(x + h (d_j - d_i)).
  using matrix = std::array<by_coefficient, coefficients>;
  static constexpr matrix direct_coefficients(bool slope, double exp_minus_x) {
    const auto series = kernel_series(slope, exp_minus_x);
    matrix direct{};
    for (std::size_t q = 0; q < coefficients; ++q)
      for (std::size_t p = 0; p < coefficients; ++p) {
        double term = series[p + q];  // (p + q)! / (p! q!) h^(p + q) (-1)^p
        for (std::size_t r = 1; r <= p; ++r)
          term *= -static_cast<double>(q + r) / static_cast<double>(r) * half_width;
        for (std::size_t r = 0; r < q; ++r) term *= half_width;
        direct[q][p] = term;
      }
    return direct;
  }

  /// A kernel in the forms that cells need: the effect of a cell on itself, on the touching cells below and
  /// above it, and on cells further away.
  struct kernel {
    matrix own, on_below, on_above;
    const std::array<double, K>& far;
    double above,
        below;  ///< factors of the far terms; where one is -1, they are f - 1: the caller adds the 1 per item
  };
  static constexpr double exp_half = 1.6487212707001281468;
  static constexpr const std::array<double, K>& far_sigmoid() {
    if constexpr (single_precision<T>)
      return far_sigmoid_8;
    else
      return far_sigmoid_18;
  }
  static constexpr const std::array<double, K>& far_slope() {
    if constexpr (single_precision<T>)
      return far_slope_8;
    else
      return far_slope_18;
  }
  /// sigmoid(x_j - x_i), minus 1 for items of the cells above: the terms that are added to the hard rank.
  static constexpr kernel make_sigmoid() {
    kernel f{direct_coefficients(false, 1.0),
             direct_coefficients(false, 1.0 / exp_half),
             direct_coefficients(false, exp_half),
             far_sigmoid(),
             -1.0,
             1.0};
    f.on_below[0][0] -= 1.0;
    return f;
  }
  static constexpr kernel for_sigmoid = make_sigmoid();
  static constexpr kernel for_slope{direct_coefficients(true, 1.0),
                                    direct_coefficients(true, 1.0 / exp_half),
                                    direct_coefficients(true, exp_half),
                                    far_slope(),
                                    1.0,
                                    1.0};
};

/// N doubles in registers, for products with the matrices of a cell.
template <class Arch, std::size_t N>
struct wide_row {
  static constexpr std::size_t vectors = N / lane_count<Arch>;
  static_assert(N % lane_count<Arch> == 0);
  lanes<Arch> v[vectors];

  wide_row() noexcept { std::fill(std::begin(v), std::end(v), lanes<Arch>(0.0)); }

  [[gnu::always_inline]] void add_scaled(double factor, const double* row) noexcept {
    for (std::size_t i = 0; i < vectors; ++i)
      v[i] = xsimd::fma(lanes<Arch>(factor), lanes<Arch>::load_unaligned(row + i * lane_count<Arch>), v[i]);
  }
  [[gnu::always_inline]] void add(double factor, const wide_row& other) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = xsimd::fma(lanes<Arch>(factor), other.v[i], v[i]);
  }
  [[gnu::always_inline]] void add(const wide_row& other) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = v[i] + other.v[i];
  }
  [[gnu::always_inline]] void add_product(const wide_row& a, const wide_row& b) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = xsimd::fma(a.v[i], b.v[i], v[i]);
  }
  [[nodiscard]] [[gnu::always_inline]] double sum() const noexcept {
    lanes<Arch> all = v[0];
    for (std::size_t i = 1; i < vectors; ++i) all = all + v[i];
    return sum_of(all);
  }
  [[nodiscard]] [[gnu::always_inline]] double dot(const wide_row& other) const noexcept {
    lanes<Arch> sum = v[0] * other.v[0];
    for (std::size_t i = 1; i < vectors; ++i) sum = xsimd::fma(v[i], other.v[i], sum);
    return sum_of(sum);
  }
  [[gnu::always_inline]] void load(const double* row) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = lanes<Arch>::load_unaligned(row + i * lane_count<Arch>);
  }
  [[gnu::always_inline]] void store(double* row) const noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i].store_unaligned(row + i * lane_count<Arch>);
  }
};

/// Sums w d^p, p < P, over a piece of a cell: call `add` for each vector, then `store`.
template <class Arch, std::size_t P>
struct moment_sums {
  using V = lanes<Arch>;
  V sum[P];
  moment_sums() noexcept { std::fill(std::begin(sum), std::end(sum), V(0.0)); }

  template <std::size_t p = 0>
  [[gnu::always_inline]] void add(const V& coordinate, const V& weight) noexcept {
    sum[p] += weight;
    if constexpr (p + 1 < P) add<p + 1>(coordinate, weight * coordinate);
  }
  void store(double* moments) const noexcept {
    for (std::size_t p = 0; p < P; ++p) moments[p] = sum_of(sum[p]);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
