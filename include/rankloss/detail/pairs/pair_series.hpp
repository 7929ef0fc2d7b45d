// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>

#include <array>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The series of the functions of pairs that the scan of pair_scan.hpp uses: from states to coordinates and
/// back, and for the pairs within a window. Also the number of terms and the sizes for each type of scores.
template <class T>
struct pair_series {
  static constexpr std::size_t K = kernel_constants<T>::count;
  static constexpr std::size_t exponents = by_precision<T>(16, 24);    // K, padded to whole vectors
  static constexpr std::size_t coefficients = by_precision<T>(8, 16);  // P
  static constexpr double half_width = 0.125;                          // of a window, in temperatures
  // width of a narrow window, whose kernel is a short series, in temperatures
  static constexpr double narrow_width = by_precision<T>(0.02, 0.01);
  static constexpr std::size_t narrow_order = by_precision<T>(3, 6);  // terms of the short series
  // width of a wide window, in temperatures: what fill_exponentials has room for, less what rounding adds
  static constexpr double widest = by_precision<T>(159.0, 1299.0);
  // decay of an item from which on higher powers count, and are no subnormal numbers
  static constexpr double least_decay = by_precision<T>(0x1p-51, 0x1p-46);

  /// [p]: the coefficients of z^p, a row of the unit matrix
  static constexpr auto unit = [] {
    std::array<std::array<double, coefficients>, coefficients> rows{};
    for (std::size_t p = 0; p < coefficients; ++p) rows[p][p] = 1.0;
    return rows;
  }();

  /// [k][p]: the coefficient of z^p in c_k exp(-k h z)
  using from_states = std::array<std::array<double, coefficients>, K>;
  /// A sum of exponentials of the distance, as a polynomial of z and as it is.
  struct kernel_series {
    from_states rows;
    std::array<double, exponents> terms;  ///< c_k, and 0 beyond K
  };
  template <std::size_t N>
  static constexpr kernel_series expand(const std::array<double, N>& kernel) {
    from_states rows{};
    std::array<double, exponents> terms{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = kernel[k];
      terms[k] = term;
      for (std::size_t p = 0; p < coefficients; ++p) {
        rows[k][p] = term;
        term *= -rate / static_cast<double>(p + 1);
      }
    }
    return {rows, terms};
  }
  static constexpr auto slope_of_logistic = expand(kernel_constants<T>::sigmoid);
  static constexpr auto slope_of_sigmoid = expand(kernel_constants<T>::slope);
  static constexpr auto value_of_logistic = expand(kernel_constants<T>::softplus);

  /// [p][k]: the contribution of moment p to state k, the coefficient of z^p in exp(k h z)
  static constexpr std::array<std::array<double, exponents>, coefficients> from_moments() {
    std::array<std::array<double, exponents>, coefficients> rows{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = 1.0;
      for (std::size_t p = 0; p < coefficients; ++p) {
        rows[p][k] = term;
        term *= rate / static_cast<double>(p + 1);
      }
    }
    return rows;
  }
  static constexpr auto to_states = from_moments();

  /// [q][p]: the contribution of moment q of the other items of a window to the coefficient of z_preferred^p,
  /// for f(h (z_preferred - z_other)). f is the Taylor series at 0 of the sigmoid, its integral or its
  /// derivative. Scores fall as coordinates rise.
  using within = std::array<std::array<double, coefficients>, coefficients>;
  static constexpr within own_coefficients(int derivative) {
    const auto series = series_of(derivative);
    within rows{};
    for (std::size_t q = 0; q < coefficients; ++q)
      for (std::size_t p = 0; p < coefficients; ++p) {
        double term = series[p + q];  // (p + q)! / (p! q!) h^(p + q) (-1)^q
        for (std::size_t r = 1; r <= p; ++r)
          term *= static_cast<double>(q + r) / static_cast<double>(r) * half_width;
        for (std::size_t r = 0; r < q; ++r) term *= -half_width;
        rows[q][p] = term;
      }
    return rows;
  }
  /// The Taylor series at 0 of the sigmoid (derivative 0), of its derivative (1) or of its integral softplus
  /// (-1).
  static constexpr std::array<double, 2 * coefficients> series_of(int derivative) {
    // sigmoid = 1/2 + s, s' = 1/4 - s^2
    std::array<double, 2 * coefficients + 2> sigmoid{};
    for (std::size_t n = 0; n + 1 < sigmoid.size(); ++n) {
      double square = 0.0;
      for (std::size_t m = 0; m <= n; ++m)
        square += (m == 0 ? 0.0 : sigmoid[m]) * (m == n ? 0.0 : sigmoid[n - m]);
      sigmoid[n + 1] = ((n == 0 ? 0.25 : 0.0) - square) / static_cast<double>(n + 1);
    }
    sigmoid[0] = 0.5;
    std::array<double, 2 * coefficients> series{};
    for (std::size_t n = 0; n < series.size(); ++n)
      series[n] = derivative == 0   ? sigmoid[n]
                  : derivative == 1 ? static_cast<double>(n + 1) * sigmoid[n + 1]
                  : n == 0          ? 0.69314718055994530942
                                    : sigmoid[n - 1] / static_cast<double>(n);
    return series;
  }
  static constexpr auto own_sigmoid = own_coefficients(0);
  static constexpr auto own_slope = own_coefficients(1);
  static constexpr auto own_softplus = own_coefficients(-1);

  /// [q][n - q]: the power n of a difference x_i - x_j, expanded: the coefficient of x_j^q x_i^(n - q). Only
  /// even n, or only odd n.
  using narrow_series = std::array<std::array<double, narrow_order>, narrow_order>;
  /// f(d) = sign * (the series above at -d)
  static constexpr narrow_series narrow_of(int derivative, double sign, std::size_t parity) {
    const auto series = series_of(derivative);
    narrow_series rows{};
    for (std::size_t n = parity; n < narrow_order; n += 2)
      for (std::size_t q = 0; q <= n; ++q) {
        double term = sign * (parity == 0 ? 1.0 : -1.0) * (q % 2 == 0 ? 1.0 : -1.0) * series[n];
        for (std::size_t r = 1; r <= q; ++r) term *= static_cast<double>(n - q + r) / static_cast<double>(r);
        rows[q][n - q] = term;
      }
    return rows;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
