// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/lane_math.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace detail_simd_lane_math_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using reference::real;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double least = std::numeric_limits<double>::min();
constexpr double most = std::numeric_limits<double>::max();

/// f of every number, by lanes; lanes left over hold the last number.
std::vector<double> in_lanes(const std::vector<double>& x, auto f) {
  std::vector<double> y(x.size());
  alignas(64) double lane[row::size];
  for (std::size_t i = 0; i < x.size(); i += row::size) {
    for (std::size_t l = 0; l < row::size; ++l) lane[l] = x[std::min(i + l, x.size() - 1)];
    f(row::load_aligned(lane)).store_aligned(lane);
    for (std::size_t l = 0; l < row::size && i + l < x.size(); ++l) y[i + l] = lane[l];
  }
  return y;
}

/// Checks that f is `expected` within bound(x), relatively.
void check(const std::vector<double>& x, auto f, auto expected, auto bound) {
  const std::vector<double> y = in_lanes(x, f);
  real worst = 0;  // in units of the bound
  double where = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const real e = expected(real(x[i]));
    const real error = y[i] == e ? real(0) : std::abs((y[i] - e) / e) / real(bound(x[i]));
    if (!(error <= worst)) worst = std::isnan(error) ? real(infinity) : error, where = x[i];
  }
  INFO("largest error at " << where << ": " << static_cast<double>(worst) << " of the bound");
  CHECK(worst <= 1);
}

/// Numbers spread evenly over [low, high), and as many of every order of magnitude from 1e-300 on below high.
std::vector<double> spread(double low, double high, std::vector<double> besides) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> even(low, high);
  std::uniform_real_distribution<double> order(-300.0, std::log10(high));
  for (int i = 0; i < 100000; ++i) {
    besides.push_back(even(random));
    const double x = std::min(std::pow(10.0, order(random)), std::nextafter(high, 0.0));
    besides.push_back(low < 0.0 && i % 2 == 0 ? -x : x);
  }
  return besides;
}

const auto exp_minus = [](const row& x) { return rankloss::detail::exp_minus(x); };
const auto exp2_minus_1 = [](const row& x) { return rankloss::detail::exp2_minus_1(x); };
const auto log_7 = [](const row& x) {
  return rankloss::detail::log_positive(x, rankloss::detail::log_tail_7);
};
const auto log_4 = [](const row& x) {
  return rankloss::detail::log_positive(x, rankloss::detail::log_tail_4);
};

}  // namespace

TEST_CASE("lane_math: power_of_two is exact over all exponents") {
  std::vector<double> k;
  for (int e = -1022; e <= 1023; ++e) k.push_back(e);
  const std::vector<double> y = in_lanes(k, [](const row& x) { return rankloss::detail::power_of_two(x); });
  for (std::size_t i = 0; i < k.size(); ++i) CHECK(y[i] == std::ldexp(1.0, static_cast<int>(k[i])));
}

TEST_CASE("lane_math: exp_minus keeps its stated error up to 708") {
  check(
      spread(
          0.0, 708.0,
          {0.0, std::numeric_limits<double>::denorm_min(), least, 0x1p-53, 1.0, std::nextafter(708.0, 0.0)}),
      exp_minus, [](real x) { return std::exp(-x); }, [](double x) { return (2.0 + 1.2 * x) * 0x1p-53; });
}

TEST_CASE("lane_math: exp_minus is 1 at 0, and 0 from 708 on") {
  CHECK(in_lanes({0.0, -0.0}, exp_minus) == std::vector<double>{1.0, 1.0});
  CHECK(in_lanes({708.0, std::nextafter(708.0, infinity), 746.0, 1e10, 1e300, most, infinity}, exp_minus) ==
        std::vector<double>(7, 0.0));
  CHECK(in_lanes({std::nextafter(708.0, 0.0)}, exp_minus)[0] >= least);  // not subnormal
}

TEST_CASE("lane_math: exp_and_less_1 keeps its stated errors from -700 to 700") {
  std::vector<double> x = spread(-700.0, 700.0, {0.0, -0.0, 700.0, -700.0});
  for (int k = -40; k <= 40; ++k)  // where another power of two is taken out
    for (const double to : {-infinity, infinity})
      x.push_back(std::nextafter((k + 0.5) * std::numbers::ln2, to));
  for (const double fine : spread(-1.0, 1.0, {})) x.push_back(fine);
  check(
      x, [](const row& a) { return rankloss::detail::exp_and_less_1(a).value; },
      [](real a) { return std::exp(a); }, [](double) { return 2 * 0x1p-53; });
  check(
      x, [](const row& a) { return rankloss::detail::exp_and_less_1(a).less_1; },
      [](real a) { return std::expm1(a); }, [](double) { return 5 * 0x1p-53; });
}

TEST_CASE("lane_math: exp2_minus_1 has no cancellation near 0 and reaches 1000 either way") {
  // Steps where x is rounded to another whole number.
  std::vector<double> besides{
      1000.0, -1000.0, 0.5, -0.5, 1.5, -1.5, std::nextafter(0.5, 1.0), std::nextafter(-0.5, -1.0)};
  check(
      spread(-1000.0, 1000.0, besides), exp2_minus_1,
      [](real x) { return std::expm1(x * std::numbers::ln2_v<real>); }, [](double) { return 3 * 0x1p-53; });
  check(
      spread(-2.0, 2.0, besides), exp2_minus_1,
      [](real x) { return std::expm1(x * std::numbers::ln2_v<real>); }, [](double) { return 3 * 0x1p-53; });
}

TEST_CASE("lane_math: exp2_minus_1 of whole numbers up to 53 is exact") {
  std::vector<double> x;
  for (int k = -53; k <= 53; ++k) x.push_back(k);
  const std::vector<double> y = in_lanes(x, exp2_minus_1);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(real(y[i]) == std::ldexp(real(1), static_cast<int>(x[i])) - 1);
}

TEST_CASE("lane_math: log_positive is right over all normal numbers and close to 1") {
  std::vector<double> x{least, most, 1.0, 2.0, 0.5, std::numbers::sqrt2, std::numbers::sqrt2 / 2};
  for (const double at :
       {1.0, 2.0, std::numbers::sqrt2, std::numbers::sqrt2 / 2})  // the argument is halved at the latter two
    for (const double to : {0.0, infinity}) x.push_back(std::nextafter(at, to));
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t pattern = random() >> 1;
    if (const auto any = std::bit_cast<double>(pattern); std::isnormal(any)) x.push_back(any);
    x.push_back(1.0 + std::ldexp(static_cast<double>(random() >> 11) * 0x1p-53 - 0.5, -(i % 54)));
  }
  const auto expected = [](real v) { return std::log(v); };
  check(x, log_7, expected, [](double) { return 4 * 0x1p-53; });
  check(x, log_4, expected, [](double) { return 1e-10; });
  CHECK(in_lanes({1.0}, log_7)[0] == 0.0);
  CHECK(in_lanes({1.0}, log_4)[0] == 0.0);
}

TEST_CASE("lane_math: log1p_product is the sum of log(1 + u), with all digits of small u") {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> order(-300.0, 0.0), even(0.0, 1.0);
  const auto compare = [](std::size_t rows, auto next) {
    rankloss::detail::log1p_product<arch> product;
    real expected = 0;
    alignas(64) double lane[row::size];
    for (std::size_t i = 0; i < rows; ++i) {
      for (double& u : lane) {
        u = next();
        expected += std::log1p(real(u));
      }
      product.multiply(row::load_aligned(lane));
    }
    CHECK(product.sum() == Approx(static_cast<double>(expected)).epsilon(1e-13).margin(0));
  };
  for (const std::size_t rows :
       {std::size_t{0}, std::size_t{1}, rankloss::detail::log1p_product<arch>::most_rows}) {
    compare(rows, [&] { return std::pow(10.0, order(random)); });
    compare(rows, [&] { return even(random); });
    compare(rows, [] { return 1.0; });
    compare(rows, [] { return 0.0; });
    compare(rows, [] { return 1e-300; });
    compare(rows, [] { return 1e-12; });
  }
}

TEST_CASE("lane_math: of_1_plus has all digits of small u, up to 4") {
  const std::vector<double> x = spread(0.0, 4.0, {0.0, 0.41421356, 1.0, 1.82842712, 2.0, 3.0, 4.0});
  check(
      x, [](const row& u) { return rankloss::detail::of_1_plus(u, rankloss::detail::log_tail_7).log; },
      [](real u) { return std::log1p(u); }, [](double) { return 5 * 0x1p-53; });
  check(
      x, [](const row& u) { return rankloss::detail::of_1_plus(u, rankloss::detail::log_tail_4).log; },
      [](real u) { return std::log1p(u); }, [](double) { return 1e-10; });
  check(
      x, [](const row& u) { return rankloss::detail::of_1_plus(u, rankloss::detail::log_tail_7).inverse; },
      [](real u) { return 1 / (1 + u); }, [](double) { return 3 * 0x1p-53; });
}

TEST_CASE("lane_math: exp2_minus_near keeps its digits up to 1000") {
  const std::vector<double> x = spread(0.0, 1000.0, {0.0, 0.5, 1.0, 1.5, 999.5, 1000.0});
  check(
      x, [](const row& a) { return rankloss::detail::exp2_minus_near(a, rankloss::detail::exp2m1_7); },
      [](real a) { return std::exp2(-a); }, [](double) { return 2e-10; });
  check(
      x, [](const row& a) { return rankloss::detail::exp2_minus_near(a, rankloss::detail::exp2m1_12); },
      [](real a) { return std::exp2(-a); }, [](double) { return 2 * 0x1p-53; });
}

TEST_CASE("lane_math: log_product is the sum of logarithms, of as many numbers as there are") {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> order(-307.0, 308.0);
  const auto compare = [](std::size_t rows, auto next) {
    rankloss::detail::log_product<arch> product;
    real expected[row::size]{};
    alignas(64) double lane[row::size];
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t l = 0; l < row::size; ++l) {
        lane[l] = next();
        expected[l] += std::log(real(lane[l]));
      }
      product.multiply(row::load_aligned(lane));
      if (i % product.most_factors == product.most_factors - 1) product.settle();
    }
    product.sum().store_aligned(lane);
    for (std::size_t l = 0; l < row::size; ++l)
      CHECK(lane[l] == Approx(static_cast<double>(expected[l])).epsilon(1e-12).margin(1e-13));
  };
  for (const std::size_t rows : {0u, 1u, 1023u, 1024u, 5000u}) {
    compare(rows, [&] { return std::pow(10.0, order(random)); });
    // Each mantissa at one end of its range.
    compare(rows, [] { return 1.41421356237309; });
    compare(rows, [] { return 0.70710678118655; });
    compare(rows, [] { return least; });
    compare(rows, [] { return most; });
  }
}

TEST_CASE(
    "lane_math: arc_cotangent is right over all orders of magnitude and where its argument is reduced otherwise") {
  const auto arc_cotangent = [](const row& x) { return rankloss::detail::arc_cotangent(x); };
  const auto expected = [](real x) { return std::atan2(real(1), x); };
  const auto bound = [](double) { return 4 * 0x1p-53; };
  std::vector<double> besides{0.0, 1.0, 1e100, 1e300};
  for (const double at : {std::numbers::sqrt2 - 1.0, 1.0, std::numbers::sqrt2 + 1.0})
    for (const double to : {0.0, infinity}) besides.push_back(std::nextafter(at, to));
  check(spread(0.0, 10.0, besides), arc_cotangent, expected, bound);
  check(spread(0.0, 1e100, {}), arc_cotangent, expected, bound);
}

}  // namespace detail_simd_lane_math_test
