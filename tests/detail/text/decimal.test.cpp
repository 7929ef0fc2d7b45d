// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/text/decimal.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cfloat>
#include <clocale>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <locale>
#include <random>
#include <string>
#include <string_view>

namespace detail_text_decimal_test {

namespace {

using rankloss::detail::fits;
using rankloss::detail::nearest_double;
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
  for (const char* const none : {"", " 1", "+", "-", ".", "-.", ".e5", "e5", "+-1", "--1", "nan", "inf",
                                 "-inf", "+nan", "infinity", ",5"}) {
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

/// As the C library reads it, in the locale "C"; glibc's is the nearest double.
double by_library(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

TEST_CASE("read_decimal is the C library's number on random decimals") {
  std::mt19937_64 random(1);
  std::size_t different = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text;
    const std::size_t whole = random() % 12;
    const std::size_t decimals = random() % 14;
    for (std::size_t i = 0; i < whole; ++i) text += static_cast<char>('0' + random() % 10);
    if (decimals > 0 || whole == 0) text += '.';
    for (std::size_t i = 0; i < decimals + (whole == 0 ? 1 : 0); ++i)
      text += static_cast<char>('0' + random() % 10);
    if (random() % 8 == 0) (text += 'e') += std::to_string(static_cast<int>(random() % 580) - 290);
    if (random() % 2 == 0) text.insert(0, 1, '-');
    const double expected = by_library(text);
    double found = 0.0;
    CHECK(read_decimal(text.data(), text.data() + text.size(), found) == text.data() + text.size());
    different += std::bit_cast<std::uint64_t>(found) != std::bit_cast<std::uint64_t>(expected) ? 1 : 0;
  }
  CHECK(different == 0);
}

/// nearest_double by itself, without the short way and without std::from_chars.
double nearest(std::string_view digits, std::int64_t exponent = 0) {
  return nearest_double(digits.data(), digits.data() + digits.size(), exponent);
}

TEST_CASE("nearest_double of any digits and exponents is the C library's number") {
  std::mt19937_64 random(2);
  std::size_t different = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string digits;
    for (std::size_t i = 0, n = 1 + random() % (round % 100 == 0 ? 900 : 24); i < n; ++i)
      digits += static_cast<char>('0' + random() % 10);
    const std::size_t point = random() % (digits.size() + 1);
    if (random() % 2 == 0) digits.insert(point, 1, '.');
    if (digits == ".") continue;
    const int exponent = static_cast<int>(random() % 700) - 370;
    const double expected = by_library(digits + "e" + std::to_string(exponent));
    different +=
        std::bit_cast<std::uint64_t>(nearest(digits, exponent)) != std::bit_cast<std::uint64_t>(expected) ? 1
                                                                                                          : 0;
  }
  CHECK(different == 0);
}

TEST_CASE("nearest_double gives back every double that is printed") {
  std::mt19937_64 random(3);
  std::size_t different = 0;
  for (int round = 0; round < 60000; ++round) {
    const auto value =
        std::bit_cast<double>((random() & 0x7fffffffffffffff) >> (round % 10 == 0 ? random() % 63 : 0));
    if (!(value < infinity)) continue;
    char text[40];
    std::snprintf(text, sizeof text, "%.16e", value);
    const std::string_view all(text);
    const std::size_t e = all.find('e');
    different += nearest(all.substr(0, e), std::atoi(text + e + 1)) != value ? 1 : 0;
  }
  CHECK(different == 0);
}

TEST_CASE("nearest_double halfway between two doubles takes the even one, and by the last digit the nearer") {
  if constexpr (LDBL_MANT_DIG >= 64) {  // halves of a double's last bit are long doubles then
    std::mt19937_64 random(4);
    std::size_t different = 0;
    for (int round = 0; round < 4000; ++round) {
      const std::uint64_t bits = (random() & 0x7fffffffffffffff) >> (round % 4 == 0 ? 11 + random() % 52 : 0);
      const auto below = std::bit_cast<double>(bits);
      const auto above = std::bit_cast<double>(bits + 1);
      if (!(above < infinity)) continue;
      const long double middle = (static_cast<long double>(below) + static_cast<long double>(above)) / 2.0L;
      std::string text(1200, ' ');
      text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.1100Le", middle)));
      const std::size_t e = text.find('e');
      const int exponent = std::atoi(text.c_str() + e + 1);
      std::string digits = text.substr(0, e);
      different += nearest(digits, exponent) != (bits % 2 == 0 ? below : above) ? 1 : 0;
      different += nearest(digits + "1", exponent) != above ? 1 : 0;
      std::size_t last = digits.find_last_not_of('0');
      digits.resize(last + 1);
      if (digits.back() == '.') last -= 1;
      --digits[last];
      digits += "9";
      different += nearest(digits, exponent) != below ? 1 : 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("nearest_double at the ends of the range") {
  CHECK(nearest("0") == 0.0);
  CHECK(nearest("0.000", 400) == 0.0);
  CHECK(nearest("17976931348623157", 292) == std::numeric_limits<double>::max());
  CHECK(nearest("179769313486231580793", 288) ==
        std::numeric_limits<double>::max());  // just below the halfway to 2^1024
  CHECK(nearest("179769313486231580794", 288) == infinity);
  CHECK(nearest("1", 309) == infinity);
  CHECK(nearest("1", std::int64_t{1} << 50) == infinity);
  CHECK(nearest("1", -(std::int64_t{1} << 50)) == 0.0);
  CHECK(nearest("24703282292062327", -340) == 0.0);  // half of the smallest double, rounded down
  CHECK(nearest("24703282292062328", -340) == std::numeric_limits<double>::denorm_min());
  CHECK(nearest("22250738585072014", -324) == std::numeric_limits<double>::min());
  CHECK(nearest("22250738585072011", -324) == std::bit_cast<double>((std::uint64_t{1} << 52) - 1));
}

/// A point that is a comma, as in much of the world.
class comma : public std::numpunct<char> {
  [[nodiscard]] char do_decimal_point() const override { return ','; }
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

TEST_CASE("read_decimal and nearest_double do not look at the locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  const std::locale global = std::locale::global(std::locale(std::locale::classic(), new comma));
  for (const char* const name :
       {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8", "ru_RU.UTF-8"})
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  const double plain = read("1234.5");
  const double exponent = read("1.5e-30");
  const double long_one = read("0.12345678901234567890123");
  const double exact = nearest("1234.5");
  const std::ptrdiff_t to_comma = length("1,5");
  std::setlocale(LC_ALL, before.c_str());
  std::locale::global(global);
  CHECK(plain == 1234.5);
  CHECK(exponent == 1.5e-30);
  CHECK(long_one == 0.12345678901234567890123);
  CHECK(exact == 1234.5);
  CHECK(to_comma == 1);
}

TEST_CASE("read_decimal around the greatest integer that takes the short way") {
  CHECK(read("9007199254740992") == 9007199254740992.0);
  CHECK(read("9007199254740993") == 9007199254740992.0);  // halfway: to even
  CHECK(read("9007199254740995") == 9007199254740996.0);  // halfway: to even
  CHECK(read("9007199254740993.1") == 9007199254740994.0);
  CHECK(read("0.9007199254740993") == 0.9007199254740993);
  CHECK(read("9999999999999999999") == 1e19);
  CHECK(read("18446744073709551616") ==
        18446744073709551616.0);  // 2^64: the sum of the digits would wrap to 0
  CHECK(read("0.0000000000000000001") == 1e-19);
  CHECK(read("0.00000000000000000001") == 1e-20);
  CHECK(read("9007199254740991e22") == 9007199254740991e22);
  CHECK(read("9007199254740991e23") == 9007199254740991e23);
  CHECK(read("9007199254740991e-22") == 9007199254740991e-22);
  CHECK(read("9007199254740991e-23") == 9007199254740991e-23);
  CHECK(read("0.9007199254740991e-6") == 0.9007199254740991e-6);
  CHECK(read("9007199254740993e2") == 9007199254740993e2);
}

TEST_CASE("fits is whether rounding gives a finite number") {
  CHECK(fits<float>(3.40282347e38));  // the greatest float as nine digits write it, which is more than it
  CHECK(fits<float>(-3.40282347e38));
  CHECK(std::isfinite(static_cast<float>(std::nextafter(0x1.ffffffp127, 0.0))));
  CHECK(fits<float>(std::nextafter(0x1.ffffffp127, 0.0)));
  CHECK(!fits<float>(0x1.ffffffp127));
  CHECK(!fits<float>(infinity));
  CHECK(!fits<float>(std::numeric_limits<double>::quiet_NaN()));
  CHECK(fits<double>(std::numeric_limits<double>::max()));
  CHECK(fits<double>(std::numeric_limits<double>::lowest()));
  CHECK(!fits<double>(infinity));
  CHECK(!fits<double>(-infinity));
  CHECK(!fits<double>(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace

}  // namespace detail_text_decimal_test
