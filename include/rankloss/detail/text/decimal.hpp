// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <system_error>

namespace rankloss::inline RANKLOSS_ABI::detail {

static_assert(sizeof(double) == sizeof(std::uint64_t) && std::numeric_limits<double>::digits == 53 &&
                  std::numeric_limits<double>::max_exponent == 1024,
              "rankloss: a double is expected to have 64 bits");

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// A non-negative integer as large as nearest_double needs: 96 words hold 801 decimal digits, and 64 bits
/// more than 5^1124.
class large_integer {
 public:
  [[nodiscard]] std::size_t bits() const noexcept {
    return size_ == 0 ? 0 : 32 * size_ - static_cast<std::size_t>(std::countl_zero(words_[size_ - 1]));
  }

  /// this * factor + summand
  void multiply_add(std::uint32_t factor, std::uint32_t summand) noexcept {
    std::uint64_t carry = summand;
    for (std::size_t i = 0; i < size_; ++i) {
      carry += static_cast<std::uint64_t>(words_[i]) * factor;
      words_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) words_[size_++] = static_cast<std::uint32_t>(carry);
  }

  /// this / divisor, rounded down. Returns whether the remainder is not 0.
  bool divide(std::uint32_t divisor) noexcept {
    std::uint64_t rest = 0;
    for (std::size_t i = size_; i-- > 0;) {
      rest = rest << 32 | words_[i];
      words_[i] = static_cast<std::uint32_t>(rest / divisor);
      rest %= divisor;
    }
    if (size_ > 0 && words_[size_ - 1] == 0) --size_;
    return rest != 0;
  }

  /// this * 2^(32 words)
  void shift_words(std::size_t words) noexcept {
    std::copy_backward(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(size_),
                       words_.begin() + static_cast<std::ptrdiff_t>(size_ + words));
    std::fill_n(words_.begin(), words, 0u);
    size_ += words;
  }

  /// The 64 leading bits, the first of which is 1; zeros are appended to a number that has fewer bits. `more`
  /// becomes whether any bit after these is 1.
  [[nodiscard]] std::uint64_t leading(bool& more) const noexcept {
    const auto word = [&](std::size_t from_top) { return from_top <= size_ ? words_[size_ - from_top] : 0u; };
    const int zeros = std::countl_zero(word(1));
    const std::uint64_t high = static_cast<std::uint64_t>(word(1)) << 32 | word(2);
    const std::uint32_t low = word(3);
    more = static_cast<std::uint32_t>(low << zeros) != 0;
    for (std::size_t i = 4; i <= size_; ++i) more = more || word(i) != 0;
    return high << zeros | (static_cast<std::uint64_t>(low) << zeros >> 32);
  }

 private:
  std::array<std::uint32_t, 96> words_{};  // the least significant first
  std::size_t size_ = 0;                   // words in use, the last of them not 0
};

/// The double nearest to (leading + fraction) * 2^scale, with 0 <= fraction < 1; ties go to the even one.
/// Beyond the largest double it is infinite, below the smallest it is 0. The first of the 64 bits of
/// `leading` is 1; `more` is whether the fraction is not 0.
[[nodiscard]] inline double round_to_double(std::uint64_t leading, bool more, std::int64_t scale) noexcept {
  constexpr std::uint64_t infinite = std::uint64_t{2047} << 52;
  const std::int64_t order = scale + 63;  // the number is in [2^order, 2^(order + 1))
  if (order > 1023) return std::bit_cast<double>(infinite);
  const std::int64_t dropped =
      order >= -1022 ? 11 : 11 + (-1022 - order);  // bits of `leading` after the double's last one
  if (dropped > 64) return 0.0;
  std::uint64_t kept = dropped == 64 ? 0 : leading >> dropped;
  const std::uint64_t half = std::uint64_t{1} << (dropped - 1);
  const std::uint64_t rest = leading & (half | (half - 1));
  if (rest > half || (rest == half && (more || kept % 2 != 0))) ++kept;
  // The first of the 53 kept bits adds 1 to the exponent field, and so does a carry out of them: the result
  // may become infinity.
  return std::bit_cast<double>((static_cast<std::uint64_t>(std::max<std::int64_t>(order + 1022, 0)) << 52) +
                               kept);
}

/// The double nearest to the number that the digits [p, end) write, possibly with a decimal point, times
/// 10^exponent; ties go to the even one. Beyond the largest double it is infinite, below the smallest it is
/// 0. The computation is exact, in integers, and does not depend on the locale, the rounding mode or compiler
/// flags.
///
/// With D the digits as an integer and E the exponent of the last digit, D * 10^E = D * 5^E * 2^E. If E >= 0,
/// D * 5^E is an integer; if E < 0, D * 2^s / 5^-E is computed as an integer of at least 64 bits and a
/// remainder. At most 767 digits are needed to tell two doubles apart, so of the digits after the first 800
/// it only matters whether they are all 0.
[[nodiscard]] inline double nearest_double(const char* p, const char* end, std::int64_t exponent) noexcept {
  constexpr int most = 800;
  constexpr std::array<std::uint32_t, 14> fives{
      1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125};
  constexpr std::array<std::uint32_t, 10> tens{1,      10,      100,      1000,      10000,
                                               100000, 1000000, 10000000, 100000000, 1000000000};
  large_integer number;
  int count = 0;  // digits of the number
  bool fraction = false;
  bool more = false;
  std::uint32_t piece = 0;
  std::size_t piece_digits = 0;
  const auto add_piece = [&] {
    number.multiply_add(tens[piece_digits], piece);
    piece = 0;
    piece_digits = 0;
  };
  for (; p != end; ++p) {
    if (*p == '.') {
      fraction = true;
      continue;
    }
    if (fraction) --exponent;
    if (count == 0 && *p == '0') continue;
    if (count == most) {
      ++exponent;
      more = more || *p != '0';
      continue;
    }
    ++count;
    piece = 10 * piece + static_cast<std::uint32_t>(*p - '0');
    if (++piece_digits == 9) add_piece();
  }
  add_piece();
  if (count == 0 || exponent + count <= -324) return 0.0;  // below 10^-324
  if (exponent + count > 309) return round_to_double(std::uint64_t{1} << 63, false, 1024);
  if (more) {
    number.multiply_add(10, 1);
    --exponent;
  }

  std::int64_t scale = exponent;  // the number times 2^scale is what was written
  more = false;
  if (exponent >= 0) {
    for (; exponent > 0; exponent -= 13)
      number.multiply_add(fives[static_cast<std::size_t>(std::min<std::int64_t>(exponent, 13))], 0);
  } else {
    const auto power = static_cast<std::size_t>(-exponent);
    const std::size_t wanted = 64 + power * 7 / 3 + 1;  // 5^3 < 2^7
    if (const std::size_t bits = number.bits(); bits < wanted) {
      const std::size_t words = (wanted - bits + 31) / 32;
      number.shift_words(words);
      scale -= static_cast<std::int64_t>(32 * words);
    }
    for (std::size_t left = power; left > 0; left -= std::min<std::size_t>(left, 13))
      more |= number.divide(fives[std::min<std::size_t>(left, 13)]);
  }
  bool behind = false;
  const std::uint64_t leading = number.leading(behind);
  return round_to_double(leading, more || behind, scale + static_cast<std::int64_t>(number.bits()) - 64);
}

/// Whether the standard library's std::from_chars reads doubles; that of libc++ does from version 20 on.
template <class T>
concept read_by_from_chars = requires(const char* p, T& value) {
  std::from_chars(p, p, value, std::chars_format::general);
};

/// Reads a number by std::from_chars, which is faster than nearest_double. Returns false if the library lacks
/// it for T or the number is out of range.
template <class T>
[[nodiscard]] bool from_chars_of([[maybe_unused]] const char* p, [[maybe_unused]] const char* end,
                                 [[maybe_unused]] T& value) noexcept {
  if constexpr (read_by_from_chars<T>) {
    return std::from_chars(p, end, value, std::chars_format::general).ec == std::errc{};
  } else {
    return false;
  }
}

/// Reads a decimal number, [sign]digits[.digits][e[sign]digits] with digits on at least one side of the
/// point, as the nearest double: infinite beyond the largest double, 0 below the smallest. Returns the end of
/// the number, or nullptr when no number begins at p; "inf" and "nan" are not numbers. The decimal point is
/// '.' in any locale.
///
/// Numbers of up to 19 digits that form an integer of at most 2^53, with a power of ten up to 22, take a
/// short path: the integer and the power are exact doubles, and their quotient or product is rounded once, to
/// the nearest.
[[nodiscard]] inline const char* read_decimal(const char* p, const char* end, double& value) noexcept {
  static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;

  const char* const begin = p;
  std::uint64_t digits = 0;  // wraps around beyond 19 digits, where it is not used
  while (p != end && is_digit(*p)) digits = 10 * digits + static_cast<std::uint64_t>(*p++ - '0');
  std::ptrdiff_t count = p - begin;
  std::ptrdiff_t decimals = 0;
  if (p != end && *p == '.') {
    const char* const point = p++;
    while (p != end && is_digit(*p)) digits = 10 * digits + static_cast<std::uint64_t>(*p++ - '0');
    decimals = p - point - 1;
    count += decimals;
  }
  if (count == 0) return nullptr;

  const char* const digits_end = p;
  std::int64_t exponent = 0;
  if (p != end && (*p == 'e' || *p == 'E')) {
    const char* e = p + 1;
    const bool below = e != end && *e == '-';
    if (e != end && (*e == '-' || *e == '+')) ++e;
    if (e != end && is_digit(*e)) {
      for (; e != end && is_digit(*e); ++e)
        exponent = exponent < (std::int64_t{1} << 50) ? 10 * exponent + (*e - '0') : exponent;
      if (below) exponent = -exponent;
      p = e;
    }
  }

  const std::int64_t power = exponent - decimals;
  if (FLT_EVAL_METHOD == 0 && count <= 19 && digits <= (std::uint64_t{1} << 53) && power >= -22 &&
      power <= 22) [[likely]] {
    value = power <= 0 ? static_cast<double>(digits) / powers[-power]
                       : static_cast<double>(digits) * powers[power];
  } else if (!from_chars_of(begin, p, value)) {
    value = nearest_double(begin, digits_end, exponent);
  }
  if (negative) value = -value;
  return p;
}

/// Whether a double rounds to a finite T, which is float or double.
template <class T>
[[nodiscard]] bool fits(double value) noexcept {
  static_assert(std::same_as<T, float> || std::same_as<T, double>);
  if constexpr (std::same_as<T, float>) {
    return std::abs(value) < 0x1.ffffffp127;  // halfway from the largest float to 2^128
  } else {
    return (std::bit_cast<std::uint64_t>(value) & 0x7fffffffffffffffu) <
           0x7ff0000000000000u;  // by bits: -ffast-math assumes that all are finite
  }
}

/// The phrase in error messages for a number that does not fit T.
template <class T>
[[nodiscard]] constexpr std::string_view beyond() noexcept {
  return std::same_as<T, float> ? " is beyond the range of float, expected at most 3.40282347e+38 in size"
                                : " is beyond the range of double, expected at most 1.79769313e+308 in size";
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
