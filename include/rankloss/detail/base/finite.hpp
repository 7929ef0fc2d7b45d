// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

// The tests look at bits, so that they hold in hosts built with -ffast-math, where x != x is folded to false and so is x > the largest number.
// They look at memory: with that flag clang also takes it for granted that no argument and no result of a function is NaN or infinite.
template <std::floating_point T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <std::floating_point T>
inline constexpr bits_of<T> bits_of_infinity = sizeof(T) == 4 ? bits_of<T>{0x7f800000u}
                                                              : static_cast<bits_of<T>>(0x7ff0000000000000u);

/// The bits but for the sign.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline bits_of<T> size_bits(const T& value) noexcept {
  return static_cast<bits_of<T>>(std::bit_cast<bits_of<T>>(value) << 1) >> 1;
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline bool is_nan(const T& value) noexcept {
  return size_bits(value) > bits_of_infinity<T>;
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline bool is_finite(const T& value) noexcept {
  return size_bits(value) < bits_of_infinity<T>;
}

/// Infinite numbers become the largest finite ones, so that equal infinities are ties and no difference is NaN. A NaN becomes one of them, too.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline T bounded(const T& value) noexcept {
  constexpr bits_of<T> largest = bits_of_infinity<T> - 1;
  const bits_of<T> size = size_bits(value);
  return std::bit_cast<T>(
      static_cast<bits_of<T>>((std::bit_cast<bits_of<T>>(value) ^ size) | (size < largest ? size : largest)));
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline bool is_minus_infinity(const T& value) noexcept {
  return size_bits(value) == bits_of_infinity<T> && std::bit_cast<bits_of<T>>(value) != bits_of_infinity<T>;
}

/// The same number, of which the compiler knows nothing. What is computed and may be infinite goes through this before its bits are looked at:
/// with -ffinite-math-only a compiler may conclude from the arithmetic that it is not.
[[nodiscard]] [[gnu::always_inline]] inline double opaque(double value) noexcept {
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#if defined(__x86_64__)
  __asm__("" : "+x"(value));
#else
  __asm__("" : "+m"(value));
#endif
#endif
  return value;
}

/// Infinity, which no compiler takes for a number that cannot be.
[[nodiscard]] inline double infinity() noexcept {
  const volatile std::uint64_t bits = bits_of_infinity<double>;
  return std::bit_cast<double>(std::uint64_t{bits});
}

/// The number of T that is nearest to x: the largest one where x is beyond it.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] inline T held_as(double x) noexcept {
  constexpr double largest = static_cast<double>(std::numeric_limits<T>::max());
  const double held = bounded(opaque(x));
  if constexpr (sizeof(T) == sizeof(double))
    return held;
  else
    return static_cast<T>(std::clamp(held, -largest, largest));
}

/// a + b, where both are finite held to the largest number.
[[nodiscard]] [[gnu::always_inline]] inline double held_sum(double a, double b) noexcept {
  return is_finite(opaque(a)) && is_finite(opaque(b)) ? held_as<double>(a + b) : a + b;
}

/// A loss of one list, or a target before it is divided by its sum, beyond this counts as this: sums over lists stay finite.
inline constexpr double largest_term = 1e290;

/// Whether an option is a number from `least` to `most`.
[[nodiscard]] [[gnu::always_inline]] inline bool within(const double& value, double least,
                                                        double most) noexcept {
  return is_finite(value) && value >= least && value <= most;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
