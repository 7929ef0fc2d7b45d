// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Where what lies in the scratch of a call, which the host knows before it has the memory.
class scratch_plan {
 public:
  /// Bytes of all that has been taken.
  std::size_t bytes = 0;

  /// The offset of room for `count` elements, aligned to 256 bytes.
  template <class X = unsigned char>
  [[nodiscard]] std::size_t take(std::size_t count) noexcept {
    const std::size_t begin = bytes;
    bytes += (count * sizeof(X) + 255) / 256 * 256;
    return begin;
  }
  /// What lies at an offset.
  template <class X>
  [[nodiscard]] static X* at(void* memory, std::size_t offset) noexcept {
    return reinterpret_cast<X*>(static_cast<unsigned char*>(memory) + offset);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
