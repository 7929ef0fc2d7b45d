// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/base/finite.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace detail_base_finite_test {

using namespace rankloss::detail;

TEMPLATE_TEST_CASE("finite: numbers are classified by their bits", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  const T largest = limits::max(), infinite = limits::infinity(), none = limits::quiet_NaN();
  for (const T x : {T{0}, -T{0}, T{1}, limits::denorm_min(), limits::min(), largest, -largest}) {
    CAPTURE(x);
    CHECK(is_finite(x));
    CHECK(!is_nan(x));
    CHECK(!is_minus_infinity(x));
    CHECK(std::bit_cast<bits_of<T>>(bounded(x)) == std::bit_cast<bits_of<T>>(x));
  }
  for (const T x : {infinite, -infinite}) {
    CHECK(!is_finite(x));
    CHECK(!is_nan(x));
    CHECK(is_minus_infinity(x) == (x < 0));
    CHECK(bounded(x) == std::copysign(largest, x));
  }
  for (const T x : {none, -none, limits::signaling_NaN()}) {
    CHECK(!is_finite(x));
    CHECK(is_nan(x));
    CHECK(!is_minus_infinity(x));
    CHECK(std::abs(bounded(x)) == largest);
  }
}

TEST_CASE("finite: what is beyond a type is held to its largest number") {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  constexpr float most = std::numeric_limits<float>::max();
  CHECK(hidden_infinity() == infinite);
  CHECK(held_as<float>(1e300) == most);
  CHECK(held_as<float>(-infinite) == -most);
  CHECK(held_as<float>(0.1) == 0.1F);
  CHECK(held_as<float>(1e-300) == 0.0F);
  CHECK(held_as<double>(infinite) == std::numeric_limits<double>::max());
  CHECK(held_as<double>(-1e300) == -1e300);
  CHECK(held_sum(1e308, 1e308) == std::numeric_limits<double>::max());
  CHECK(held_sum(-1e308, -1e308) == std::numeric_limits<double>::lowest());
  CHECK(held_sum(1.0, 2.0) == 3.0);
  CHECK(held_sum(infinite, 1.0) == infinite);
}

TEST_CASE("finite: an option is within its range or not a number of it") {
  CHECK(within(1.0, 1.0, 2.0));
  CHECK(within(2.0, 1.0, 2.0));
  CHECK(!within(std::nextafter(1.0, 0.0), 1.0, 2.0));
  CHECK(!within(std::nextafter(2.0, 3.0), 1.0, 2.0));
  CHECK(!within(std::numeric_limits<double>::quiet_NaN(), 1.0, 2.0));
  CHECK(!within(std::numeric_limits<double>::infinity(), 1.0, std::numeric_limits<double>::infinity()));
}

}  // namespace detail_base_finite_test
