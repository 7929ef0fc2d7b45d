// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/base/check_options.hpp>

#include <catch2/catch.hpp>

#include <cmath>

namespace detail_base_check_options_test {

namespace detail = rankloss::detail;

TEST_CASE("check_options: both ends of a range belong to it") {
  CHECK_NOTHROW(detail::check_within("tau", 0.25, 0.25, 0.5));
  CHECK_NOTHROW(detail::check_within("tau", 0.5, 0.25, 0.5));
  CHECK_THROWS_WITH(detail::check_within("tau", 0.125, 0.25, 0.5),
                    "rankloss: tau: 0.125, expected 0.25 to 0.5");
  CHECK_THROWS_WITH(detail::check_within("mu", HUGE_VAL, 0.0, 1e30), "rankloss: mu: inf, expected 0 to 1e30");
  CHECK_THROWS_WITH(detail::check_within("mu", std::nan(""), -1.0, 1e30),
                    "rankloss: mu: nan, expected -1 to 1e30");
}

TEST_CASE("check_options: temperatures, finite numbers, and those that are not below 0") {
  CHECK_NOTHROW(detail::check_temperature("temperature", 1e-15));
  CHECK_NOTHROW(detail::check_temperature("temperature", 1e300));
  CHECK_THROWS_WITH(detail::check_temperature("temperature", 0.0),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_NOTHROW(detail::check_finite("base", -1.0));
  CHECK_THROWS_WITH(detail::check_finite("base", -HUGE_VAL),
                    "rankloss: base: -inf, expected a finite number");
  CHECK_NOTHROW(detail::check_at_least_0("margin", 0.0));
  CHECK_THROWS_WITH(detail::check_at_least_0("margin", -1.0),
                    "rankloss: margin: -1, expected a finite number >= 0");
  CHECK_THROWS_WITH(detail::check_at_least_0("margin", HUGE_VAL),
                    "rankloss: margin: inf, expected a finite number >= 0");
}

}  // namespace detail_base_check_options_test
