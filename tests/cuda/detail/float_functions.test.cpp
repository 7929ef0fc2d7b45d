// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/float_functions.hpp"

#include "cuda/support/odd_numbers.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace cuda_detail_float_functions_test {
namespace {

constexpr double unit = 0x1p-23;  // in the last place

/// The largest relative error.
template <class Expected>
double error_of(const std::vector<float>& found, const std::vector<float>& x, Expected expected) {
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = expected(i);
    largest =
        std::fmax(largest, std::isfinite(found[i]) ? std::abs(found[i] - exact) / std::abs(exact) : 1e9);
  }
  return largest;
}
double log_of(const std::vector<float>& found, const std::vector<float>& x) {
  return error_of(found, x, [&](std::size_t i) { return std::log(static_cast<double>(x[i])); });
}

}  // namespace

// This is compiled a second time with --use_fast_math.
TEST_CASE("cuda: functions of floats, whatever the compiler may approximate") {
  cuda_support::odd_numbers random(3);
  std::vector<float> x, y;
  SECTION("exponentials") {
    for (int i = 0; i < 20000; ++i) x.push_back(static_cast<float>(random.any(-87.0, 88.0)));
    for (int i = 0; i < 2000; ++i) x.push_back(static_cast<float>(random.sized(-9.0, 0.0)));
    const results found = compute(x, x);
    const auto exact = [&](std::size_t i) { return std::exp(static_cast<double>(x[i])); };
    CHECK(error_of(found.exp, x, exact) < 3.0 * unit);
    CHECK(found.exp_up_to_88 == found.exp);
  }
  SECTION("exponentials at the ends of the type") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    x = {0.0f, -0.0f, -110.0f, -1e10f, -3e38f, -infinity, 89.0f, 1e10f, 3e38f, infinity, -88.0f, 88.7f};
    const results found = compute(x, x);
    CHECK(found.exp[0] == 1.0f);
    CHECK(found.exp[1] == 1.0f);
    for (std::size_t i = 2; i < 6; ++i) {
      CHECK(found.exp[i] == 0.0f);
      CHECK(found.exp_up_to_88[i] == 0.0f);
    }
    for (std::size_t i = 6; i < 10; ++i) CHECK(found.exp[i] == infinity);
    CHECK(found.exp[10] <= 1e-38f);
    CHECK(std::abs(found.exp[11] / std::exp(static_cast<double>(x[11])) - 1.0) < 3.0 * unit);
  }
  SECTION("logarithms") {
    for (int i = 0; i < 20000; ++i) x.push_back(static_cast<float>(std::pow(2.0, random.any(-126.0, 127.9))));
    for (int i = 0; i < 4000; ++i) x.push_back(static_cast<float>(1.0 + random.sized(-6.0, -0.4)));
    for (int i = 2; i < 4000; ++i) x.push_back(static_cast<float>(i));
    CHECK(log_of(compute(x, x).log, x) < 1.5 * unit);
    CHECK(compute({1.0f}, {1.0f}).log[0] == 0.0f);
  }
  SECTION("quotients") {
    for (int i = 0; i < 20000; ++i) {
      x.push_back(static_cast<float>(random.sized(-37.9, 37.9)));
      const double most = std::fmin(37.0, std::log10(std::abs(x.back())) + 37.0);
      const double least = std::fmax(-37.0, std::log10(std::abs(x.back())) - 37.0);
      y.push_back(static_cast<float>(random.sized(least, most)));
    }
    const results found = compute(x, y);
    std::size_t inexact = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      inexact += found.quotient[i] != x[i] / y[i];
      if (std::abs(x[i]) < 8e37f) inexact += found.inverse[i] != 1.0f / x[i];
    }
    CHECK(inexact == 0);
    CHECK(error_of(found.near_quotient, x, [&](std::size_t i) {
            return static_cast<double>(x[i]) / static_cast<double>(y[i]);
          }) < 2.5 * unit);
    CHECK(compute({1e38f}, {2e38f}).quotient[0] == 0.5f);
  }
}

}  // namespace cuda_detail_float_functions_test
