// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/tiles.cuh>

#include <cstddef>
#include <cstdint>

namespace cuda_support {

/// Where lists lie by offsets that are known to be right.
struct by_offsets {
  const std::int64_t* offsets;

  struct place {
    std::uint64_t first;
    std::uint32_t size;
  };
  __device__ place operator()(std::size_t l) const {
    return {static_cast<std::uint64_t>(offsets[l]), static_cast<std::uint32_t>(offsets[l + 1] - offsets[l])};
  }
};

}  // namespace cuda_support
