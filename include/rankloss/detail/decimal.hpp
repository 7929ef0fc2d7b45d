// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/abi.hpp>

#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <system_error>

namespace rankloss::inline RANKLOSS_ABI::detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Whether a number of the form digits[.digits][e[sign]digits] that no double holds is too large, not too small.
[[nodiscard]] inline bool overflows(const char* p, const char* end) noexcept {
  long long order = 0;  // digits before the point, from the first that is not 0; below 1: minus the zeros after the point
  bool begun = false;
  bool fraction = false;
  for (; p != end && (is_digit(*p) || *p == '.'); ++p) {
    if (*p == '.') {
      fraction = true;
    } else {
      begun = begun || *p != '0';
      if (begun && !fraction) ++order;
      if (!begun && fraction) --order;
    }
  }
  if (p == end) return order > 0;
  ++p;
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  long long exponent = 0;
  for (; p != end && is_digit(*p); ++p) exponent = exponent < (1LL << 50) ? 10 * exponent + (*p - '0') : exponent;
  return order + (negative ? -exponent : exponent) > 0;
}

/// Reads a decimal number, [sign]digits[.digits][e[sign]digits] with digits on at least one side of the point, as the nearest double; beyond
/// the largest it is infinite, below the smallest 0. Returns where it ends, or nullptr when none begins here; "inf" and "nan" are none.
///
/// Up to 19 digits without an exponent whose integer is at most 2^53 take a short way: integer and power of ten are then doubles, and their
/// quotient is rounded once, to the nearest: what std::from_chars gives, which reads all others.
[[nodiscard]] inline const char* read_decimal(const char* p, const char* end, double& value) noexcept {
  static constexpr double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;

  const char* const begin = p;
  std::uint64_t digits = 0;  // wraps around beyond 19 digits, and is not used then
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
  const bool exponent = p != end && (*p == 'e' || *p == 'E');
  if (FLT_EVAL_METHOD == 0 && count <= 19 && digits <= (std::uint64_t{1} << 53) && !exponent) [[likely]] {
    value = static_cast<double>(digits) / powers[decimals];
  } else {
    const auto [after, error] = std::from_chars(begin, end, value, std::chars_format::general);
    if (error == std::errc::result_out_of_range) value = overflows(begin, after) ? std::numeric_limits<double>::infinity() : 0.0;
    p = after;
  }
  if (negative) value = -value;
  return p;
}

/// Whether a double rounds to a finite float.
[[nodiscard]] inline bool fits_float(double value) noexcept { return std::abs(value) < 0x1.ffffffp127; }

}  // namespace rankloss::inline RANKLOSS_ABI::detail
