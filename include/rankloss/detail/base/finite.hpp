// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

// The ends of a type as constants, which kernels can name: functions of the standard library are not theirs.
template <class T>
inline constexpr T greatest_number = std::numeric_limits<T>::max();
template <class T>
inline constexpr T lowest_number = std::numeric_limits<T>::lowest();
template <std::floating_point T>
inline constexpr T least_normal = std::numeric_limits<T>::min();
template <std::floating_point T>
inline constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

// The tests look at bits, so that they also hold in programs built with -ffast-math, where x != x is folded
// to false, and so is the comparison of x with the largest number. They take their argument by reference and
// read it from memory, because with that flag clang also assumes that no argument and no result of a function
// is NaN or infinite.
template <std::floating_point T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <std::floating_point T>
inline constexpr bits_of<T> bits_of_infinity = sizeof(T) == 4 ? bits_of<T>{0x7f800000u}
                                                              : static_cast<bits_of<T>>(0x7ff0000000000000u);

/// The bits without the sign bit.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline bits_of<T> size_bits(
    const T& value) noexcept {
  return static_cast<bits_of<T>>(__builtin_bit_cast(bits_of<T>, value) << 1) >> 1;
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline bool is_nan(const T& value) noexcept {
  return size_bits(value) > bits_of_infinity<T>;
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline bool is_finite(const T& value) noexcept {
  return size_bits(value) < bits_of_infinity<T>;
}

/// The same number, or the end of a type, `most`, with its sign where it is beyond it; so is a NaN. By the bits,
/// since no loop over comparisons of numbers is vectorised where these may trap.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline T bounded(
    const T& value, T most = greatest_number<T>) noexcept {
  const bits_of<T> largest = __builtin_bit_cast(bits_of<T>, most);
  const bits_of<T> size = size_bits(value);
  return __builtin_bit_cast(T, static_cast<bits_of<T>>((__builtin_bit_cast(bits_of<T>, value) ^ size) |
                                                       (size < largest ? size : largest)));
}

template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline bool is_minus_infinity(
    const T& value) noexcept {
  return size_bits(value) == bits_of_infinity<T> &&
         __builtin_bit_cast(bits_of<T>, value) != bits_of_infinity<T>;
}

/// The same number, hidden from the optimiser. A computed number that may be infinite has to pass through
/// this before its bits are tested: with -ffinite-math-only a compiler may conclude from the arithmetic that
/// it is finite.
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double opaque(double value) noexcept {
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ && !defined(__CUDA_ARCH__)
#if defined(__x86_64__)
  __asm__("" : "+x"(value));
#elif defined(__aarch64__)
  __asm__("" : "+w"(value));
#else
  __asm__("" : "+m"(value));
#endif
#endif
  return value;
}

/// a b, rounded before it is added to anything. Compilers may fuse a product with a sum in one place and not in another,
/// and sums that must be equal would then differ in their last bits.
[[nodiscard]] [[gnu::always_inline]] inline double rounded_product(double a, double b) noexcept {
  double product = a * b;
#if defined(__GNUC__) && !defined(__CUDA_ARCH__)
#if defined(__FMA__)
  __asm__("" : "+x"(product));
#elif defined(__aarch64__)
  __asm__("" : "+w"(product));
#elif !defined(__x86_64__)  // which has no such instruction without __FMA__
  __asm__("" : "+m"(product));
#endif
#endif
  return product;
}

/// Infinity, hidden from the optimiser, which could otherwise assume that no number is infinite.
[[nodiscard]] inline double hidden_infinity() noexcept {
  const volatile std::uint64_t bits = bits_of_infinity<double>;
  return std::bit_cast<double>(std::uint64_t{bits});
}

/// The number of type T nearest to x; the largest finite one, with the sign of x, where x is beyond it.
template <std::floating_point T>
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline T held_as(double x) noexcept {
  return static_cast<T>(bounded(opaque(x), static_cast<double>(greatest_number<T>)));
}

/// a + b, limited to the largest finite number where both a and b are finite.
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double held_sum(double a,
                                                                                 double b) noexcept {
  return is_finite(opaque(a)) && is_finite(opaque(b)) ? held_as<double>(a + b) : a + b;
}

/// The limit of the loss of one list, and of a target before it is divided by its sum. Larger ones are
/// replaced by it, so that sums over lists stay finite.
inline constexpr double largest_term = 1e290;

/// std::min, std::max and std::clamp of numbers, to the bit, also for kernels.
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double lesser(double a, double b) noexcept {
  return b < a ? b : a;
}
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double larger(double a, double b) noexcept {
  return a < b ? b : a;
}
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double limited(double x, double least,
                                                                                double most) noexcept {
  return x < least ? least : most < x ? most : x;
}

/// The value or a derivative of one term, limited to [-1e290, 1e290], so that no sum of them is infinite.
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline double bounded_term(double x) noexcept {
  return limited(x, -largest_term, largest_term);
}

/// Whether an option is a number from `least` to `most`.
[[nodiscard]] [[gnu::always_inline]] RANKLOSS_HOST_DEVICE inline bool within(const double& value,
                                                                             double least,
                                                                             double most) noexcept {
  return is_finite(value) && value >= least && value <= most;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
