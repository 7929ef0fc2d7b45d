// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/sorting/descending_key.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The bits by which numbers are sorted, the greatest first: those of a greater number are the lesser ones,
/// and those of -0 are those of 0.
template <class X>
struct falling_bits {
  using type = rankloss::detail::key_of<X>;
  [[nodiscard]] static __device__ type of(X x) { return rankloss::detail::descending_key(x); }
  [[nodiscard]] static __device__ X number(type bits) { return rankloss::detail::value_of<X>(bits); }
};
template <std::integral X>
requires(sizeof(X) <= sizeof(std::uint32_t)) struct falling_bits<X> {
  using type = std::uint32_t;
  [[nodiscard]] static __device__ type of(X x) { return static_cast<type>(x) ^ mask; }
  [[nodiscard]] static __device__ X number(type bits) { return static_cast<X>(bits ^ mask); }

 private:
  static constexpr type mask = std::is_signed_v<X> ? 0x7fffffffu : 0xffffffffu;
};
/// As losses take numbers of more than 32 bits for doubles.
template <std::integral X>
requires(sizeof(X) > sizeof(std::uint32_t)) struct falling_bits<X> {
  using type = std::uint64_t;
  [[nodiscard]] static __device__ type of(X x) { return falling_bits<double>::of(static_cast<double>(x)); }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
