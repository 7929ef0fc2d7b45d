// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/base/require.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

namespace detail_base_require_test {

namespace {

using rankloss::detail::count_of;
using rankloss::detail::extent_of;
using rankloss::detail::fail;
using rankloss::detail::require;
using rankloss::detail::throw_or_abort;

/// What std::invalid_argument says of a requirement that is not met.
template <class... Parts>
std::string message(const Parts&... parts) {
  try {
    require(false, parts...);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_CASE("require: nothing where it is met") {
  CHECK_NOTHROW(require(true));
  CHECK_NOTHROW(require(true, "temperature: ", 0.0));
}

TEST_CASE("require: the parts strung together, whatever their types") {
  CHECK(message() == "rankloss: ");
  CHECK(message("a", std::string("b"), std::string_view("c")) == "rankloss: abc");
  CHECK(message("size ", std::size_t{18446744073709551615u}, ", expected ", -3) ==
        "rankloss: size 18446744073709551615, expected -3");
  CHECK(message(std::int64_t{-9223372036854775807}) == "rankloss: -9223372036854775807");
  CHECK(message(true, " ", std::uint8_t{65}) == "rankloss: 1 65");
}

TEST_CASE("require: numbers to nine digits, and what is none by name") {
  CHECK(message(0.1F) == "rankloss: 0.100000001");
  CHECK(message(0.1) == "rankloss: 0.1");
  CHECK(message(1.0 / 3.0) == "rankloss: 0.333333333");
  CHECK(message(1e300) == "rankloss: 1e+300");
  CHECK(message(-1.23456789e-300) == "rankloss: -1.23456789e-300");
  CHECK(message(-std::numeric_limits<double>::infinity()) == "rankloss: -inf");
  CHECK(message(std::numeric_limits<float>::quiet_NaN()) == "rankloss: nan");
}

TEST_CASE("require: numbers of elements do not wrap round") {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max(), half = most / 2 + 1;
  CHECK(count_of(3, 4) == 12);
  CHECK(count_of(0, most) == 0);
  CHECK(count_of(most, 0) == 0);
  CHECK(count_of(1, most) == most);
  CHECK(count_of(half, 2) == most);  // 2^64, which is 0 where numbers wrap round
  CHECK(count_of(half / 2, 3) == half / 2 * 3);
  CHECK(extent_of(0, 5, 7) == 0);
  CHECK(extent_of(2, 0, 7) == 0);
  CHECK(extent_of(1, 5, most) == 5);
  CHECK(extent_of(3, 5, 7) == 19);
  CHECK(extent_of(9, 4, 4 + half / 4) == most);
  CHECK(extent_of(2, 1, most) == most);
}

TEST_CASE("require: fail always throws, throw_or_abort any error") {
  CHECK_THROWS_WITH(fail("k: ", 3), "rankloss: k: 3");
  CHECK_THROWS_AS(fail(), std::invalid_argument);
  CHECK_THROWS_AS(throw_or_abort<std::runtime_error>("alone"), std::runtime_error);
  CHECK_THROWS_WITH(throw_or_abort<std::runtime_error>("alone"), "alone");
}

}  // namespace

}  // namespace detail_base_require_test
