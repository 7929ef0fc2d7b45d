// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// How many of the first n items a cutoff keeps; a cutoff of 0 keeps all.
[[nodiscard]] constexpr std::size_t counted_by(std::size_t cutoff, std::size_t n) noexcept {
  return cutoff == 0 ? n : std::min(cutoff, n);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
