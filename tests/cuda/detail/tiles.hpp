// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cuda_detail_tiles_test {

inline constexpr std::uint32_t none = ~std::uint32_t{0};

/// A table as it is on the device.
struct table {
  std::uint32_t items_of_tile = 0;
  std::vector<std::uint32_t> list_of_tile, index_of_tile;  // [tiles] none where there is no tile
  std::vector<std::uint64_t> number, first;                // [lists] all bits set where there is no list
  std::vector<std::uint32_t> size;
};

/// Lists by offsets, of which those of at least `shortest` items are long.
table find(const std::vector<std::int64_t>& offsets, std::uint32_t shortest);

}  // namespace cuda_detail_tiles_test
