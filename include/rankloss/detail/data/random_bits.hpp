// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Fills `bits` with 32 random bits per item, a function of (seed, number of the list, item). The second word
/// of the counter has a value that no sample of `stochastic` uses, so the two never share random numbers.
inline void random_bits(std::uint64_t seed, std::uint64_t list, std::span<std::uint32_t> bits) {
  for (std::size_t i = 0; i < bits.size(); i += 4) {
    const std::array<std::uint32_t, 4> four =
        philox({static_cast<std::uint32_t>(i / 4), 0xffffffffu, low_half(list), high_half(list)},
               {low_half(seed), high_half(seed)});
    std::copy_n(four.begin(), std::min<std::size_t>(4, bits.size() - i),
                bits.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
