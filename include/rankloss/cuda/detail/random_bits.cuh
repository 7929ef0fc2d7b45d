// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The 32 random bits of an item: those that detail/data/random_bits.hpp has on the CPU.
[[nodiscard]] __device__ inline std::uint32_t random_bits(std::uint64_t seed, std::uint64_t list,
                                                          std::uint32_t i) {
  using rankloss::detail::high_half;
  using rankloss::detail::low_half;
  std::uint32_t bits[4] = {i / 4, 0xffffffffu, low_half(list), high_half(list)};
  rankloss::detail::philox_rounds(bits, low_half(seed), high_half(seed));
  const std::uint32_t half[2] = {i & 1 ? bits[1] : bits[0], i & 1 ? bits[3] : bits[2]};
  return i & 2 ? half[1] : half[0];
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
