// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <cstdint>
#include <type_traits>

/// Numbers as unsigned integers, by which they are sorted.
namespace rankloss::inline RANKLOSS_ABI::detail {

template <class T>
using key_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Flips the bits below the sign bit where the sign bit is not set; the function is its own inverse. It has
/// no branch, since the signs of scores are unpredictable.
template <class Key>
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr Key turn_below_sign(Key bits) noexcept {
  constexpr unsigned sign_bit = 8 * sizeof(Key) - 1;
  return bits ^ (((bits >> sign_bit) - 1) & ~(Key{1} << sign_bit));
}

/// An unsigned integer that increases as the value decreases; +0 and -0 have the same one.
template <class T>
[[nodiscard]] RANKLOSS_HOST_DEVICE inline key_of<T> descending_key(const T& value) noexcept {
  // Zero is recognised by its bits, since compilers that may ignore the sign of zero fold value + 0 to value.
  const auto bits = __builtin_bit_cast(key_of<T>, value);
  return turn_below_sign(static_cast<key_of<T>>(bits << 1) == 0 ? key_of<T>{0} : bits);
}

template <class T>
[[nodiscard]] RANKLOSS_HOST_DEVICE inline T value_of(key_of<T> descending) noexcept {
  return __builtin_bit_cast(T, turn_below_sign(descending));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
