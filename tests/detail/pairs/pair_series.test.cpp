// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/pair_series.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>

namespace detail_pairs_pair_series_test {

using rankloss::detail::kernel_constants;
using rankloss::detail::pair_series;

namespace {

template <class T>
constexpr double digits = sizeof(T) == 4 ? 1e-6 : 1e-13;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double slope(double x) { return sigmoid(x) * sigmoid(-x); }
double softplus(double x) { return std::log1p(std::exp(x)); }

template <std::size_t N>
double polynomial(const std::array<double, N>& terms, double z) {
  double sum = 0.0;
  for (std::size_t p = N; p-- > 0;) sum = sum * z + terms[p];
  return sum;
}

}  // namespace

TEMPLATE_TEST_CASE(
    "pair_series: states act on the coordinates of a window as the functions do, and its coordinates enter them",
    "", float, double) {
  using series = pair_series<TestType>;
  const auto check = [](const typename series::from_states& rows, const auto& kernel, double (*f)(double)) {
    for (const double distance : {1.0, 1.5, 3.0, 10.0, 60.0})
      for (const double z : {-1.0, -0.3, 0.0, 0.5, 1.0}) {
        CAPTURE(distance, z);
        // What acts lies outside the window, `distance` half widths from its centre.
        double acted = 0.0;
        double entered = 0.0;
        for (std::size_t k = 0; k < series::K; ++k) {
          const double state = std::exp(-series::half_width * distance * static_cast<double>(k + 1));
          acted += state * polynomial(rows[k], z);
          double power = 1.0;
          for (std::size_t p = 0; p < series::coefficients; ++p, power *= z)
            entered += state * kernel[k] * power * series::to_states[p][k];
        }
        CHECK(std::abs(acted - f(series::half_width * (distance + z))) <= 2.0 * digits<TestType>);
        CHECK(std::abs(entered - f(series::half_width * (distance - z))) <= 2.0 * digits<TestType>);
      }
  };
  using kernels = kernel_constants<TestType>;
  check(series::slope_of_logistic.rows, kernels::sigmoid, [](double d) { return sigmoid(-d); });
  check(series::slope_of_sigmoid.rows, kernels::slope, slope);
  check(series::value_of_logistic.rows, kernels::softplus, [](double d) { return softplus(-d); });
}

TEMPLATE_TEST_CASE(
    "pair_series: moments of other items act on the preferred ones of their window as the functions do", "",
    float, double) {
  using series = pair_series<TestType>;
  const auto check = [](const typename series::within& rows, double (*f)(double)) {
    for (const double other : {-1.0, -0.2, 0.7, 1.0})
      for (const double preferred : {-1.0, 0.1, 0.6, 1.0}) {
        CAPTURE(other, preferred);
        double power = 1.0;
        double sum = 0.0;
        for (std::size_t q = 0; q < series::coefficients; ++q, power *= other)
          sum += power * polynomial(rows[q], preferred);
        CHECK(std::abs(sum - f(series::half_width * (preferred - other))) <= digits<TestType>);
      }
  };
  check(series::own_sigmoid, sigmoid);
  check(series::own_slope, slope);
  check(series::own_softplus, softplus);
}

TEMPLATE_TEST_CASE("pair_series: in a narrow window even and odd powers of a difference make the function",
                   "", float, double) {
  using series = pair_series<TestType>;
  const auto check = [](int derivative, double (*f)(double)) {
    const auto even = series::narrow_of(derivative, 1.0, 0);
    const auto odd = series::narrow_of(derivative, 1.0, 1);
    for (const double own : {-0.5, 0.2, 0.5})
      for (const double other : {-0.5, 0.0, 0.4}) {
        CAPTURE(derivative, own, other);
        const double x = own * series::narrow_width;
        const double y = other * series::narrow_width;
        double power = 1.0;
        double sum = 0.0;
        for (std::size_t q = 0; q < series::narrow_order; ++q, power *= y)
          sum += power * (polynomial(even[q], x) + polynomial(odd[q], x));
        CHECK(std::abs(sum - f(y - x)) <= digits<TestType>);
      }
  };
  check(0, sigmoid);
  check(1, slope);
  check(-1, softplus);
}

}  // namespace detail_pairs_pair_series_test
