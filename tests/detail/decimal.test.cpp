// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/decimal.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace {

using rankloss::detail::fits_float;
using rankloss::detail::read_decimal;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What is read of a text, all of which must be the number.
double read(std::string_view text) {
  double value = -99.0;
  const char* const after = read_decimal(text.data(), text.data() + text.size(), value);
  CHECK(after == text.data() + text.size());
  return value;
}

/// Characters of which the number consists, or -1: none begins there.
std::ptrdiff_t length(std::string_view text) {
  double value = 0.0;
  const char* const after = read_decimal(text.data(), text.data() + text.size(), value);
  return after == nullptr ? -1 : after - text.data();
}

TEST_CASE("read_decimal of plain numbers, signs and exponents") {
  CHECK(read("0") == 0.0);
  CHECK(read("7") == 7.0);
  CHECK(read("-12.50") == -12.5);
  CHECK(read("+3") == 3.0);
  CHECK(read(".5") == 0.5);
  CHECK(read("5.") == 5.0);
  CHECK(read("1e3") == 1000.0);
  CHECK(read("-1.5E-2") == -0.015);
  CHECK(read("+2e+2") == 200.0);
  CHECK(read("0.1") == 0.1);
  CHECK(read("00000000000000000000000000001.5") == 1.5);
  CHECK(std::signbit(read("-0.000000")));
  CHECK(std::signbit(read("-1e-999")));
}

TEST_CASE("read_decimal ends where the number does") {
  CHECK(length("1.5 2") == 3);
  CHECK(length("1.5.2") == 3);
  CHECK(length("12abc") == 2);
  CHECK(length("1e") == 1);
  CHECK(length("1e+") == 1);
  CHECK(length("1e5x") == 3);
  CHECK(length("0x10") == 1);
  for (const char* const none : {"", " 1", "+", "-", ".", "-.", ".e5", "e5", "+-1", "--1", "nan", "inf", "-inf", "+nan", "infinity", ",5"}) {
    INFO(none);
    CHECK(length(none) == -1);
  }
}

TEST_CASE("read_decimal beyond what a double holds") {
  const std::string zeros(400, '0');
  CHECK(read("1e400") == infinity);
  CHECK(read("2e308") == infinity);
  CHECK(read("0.002e311") == infinity);
  CHECK(read("2e-324") == 0.0);
  CHECK(read("2000e-327") == 0.0);
  CHECK(read("-1e400") == -infinity);
  CHECK(read("1" + zeros) == infinity);
  CHECK(read("1" + zeros + "e-400") == 1.0);
  CHECK(read("0." + zeros + "1") == 0.0);
  CHECK(read("0." + zeros + "1e401") == 1.0);
  CHECK(read("1" + zeros + ".5e-1000") == 0.0);
  CHECK(read("1e-400") == 0.0);
  CHECK(read(zeros + "1e-400") == 0.0);
  CHECK(read("0e99999") == 0.0);
  CHECK(read("0.000e400") == 0.0);
  CHECK(read("1e99999999999999999999999") == infinity);
  CHECK(read("1e-99999999999999999999999") == 0.0);
  CHECK(read("1.7976931348623157e308") == std::numeric_limits<double>::max());
  CHECK(read("4.9406564584124654e-324") == std::numeric_limits<double>::denorm_min());
}

TEST_CASE("read_decimal is std::from_chars on random decimals") {
  std::mt19937_64 random(1);
  std::size_t different = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text;
    const std::size_t whole = random() % 12;
    const std::size_t decimals = random() % 14;
    for (std::size_t i = 0; i < whole; ++i) text += static_cast<char>('0' + random() % 10);
    if (decimals > 0 || whole == 0) text += '.';
    for (std::size_t i = 0; i < decimals + (whole == 0 ? 1 : 0); ++i) text += static_cast<char>('0' + random() % 10);
    if (random() % 8 == 0) text += "e" + std::to_string(static_cast<int>(random() % 580) - 290);
    double expected = 0.0;
    std::from_chars(text.data(), text.data() + text.size(), expected);
    if (random() % 2 == 0) text.insert(0, "-"), expected = -expected;
    double found = 0.0;
    CHECK(read_decimal(text.data(), text.data() + text.size(), found) == text.data() + text.size());
    different += std::bit_cast<std::uint64_t>(found) != std::bit_cast<std::uint64_t>(expected) ? 1 : 0;
  }
  CHECK(different == 0);
}

TEST_CASE("read_decimal around the greatest integer that takes the short way") {
  CHECK(read("9007199254740992") == 9007199254740992.0);
  CHECK(read("9007199254740993") == 9007199254740992.0);  // halfway: to even
  CHECK(read("9007199254740995") == 9007199254740996.0);  // halfway: to even
  CHECK(read("9007199254740993.1") == 9007199254740994.0);
  CHECK(read("0.9007199254740993") == 0.9007199254740993);
  CHECK(read("9999999999999999999") == 1e19);
  CHECK(read("18446744073709551616") == 18446744073709551616.0);  // 2^64: the sum of the digits would wrap to 0
  CHECK(read("0.0000000000000000001") == 1e-19);
  CHECK(read("0.00000000000000000001") == 1e-20);
}

TEST_CASE("fits_float is whether rounding gives a finite float") {
  CHECK(fits_float(3.40282347e38));  // the greatest float as nine digits write it, which is more than it
  CHECK(fits_float(-3.40282347e38));
  CHECK(std::isfinite(static_cast<float>(std::nextafter(0x1.ffffffp127, 0.0))));
  CHECK(fits_float(std::nextafter(0x1.ffffffp127, 0.0)));
  CHECK(!fits_float(0x1.ffffffp127));
  CHECK(!fits_float(infinity));
  CHECK(!fits_float(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace
