// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/detail/tiles.cuh>

#include "cuda/detail/tiles.hpp"
#include "cuda/support/device.hpp"
#include "cuda/support/lists_by_offsets.cuh"

namespace cuda_detail_tiles_test {

namespace of = rankloss::cuda::detail;

table find(const std::vector<std::int64_t>& offsets, std::uint32_t shortest) {
  using cuda_support::array;
  const auto items = static_cast<std::size_t>(offsets.back());
  const array<std::int64_t> on(offsets);
  of::tile_arrays counted(nullptr, items, shortest);
  (void)counted.table(shortest);
  const array<unsigned char> memory(counted.bytes());
  of::tile_arrays arrays(memory.data(), items, shortest);
  const of::tile_table filled = arrays.table(shortest);
  of::find_tiles(filled, cuda_support::by_offsets{on.data()}, offsets.size() - 1, nullptr);

  table found;
  found.items_of_tile = of::tile_items;
  std::vector<of::tile_entry> tiles(filled.most_tiles);
  std::vector<of::long_list> lists(filled.most_lists);
  cuda_support::require_success(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  if (!tiles.empty())
    cuda_support::require_success(
        cudaMemcpy(tiles.data(), filled.tiles, tiles.size() * sizeof tiles[0], cudaMemcpyDeviceToHost),
        "cudaMemcpy");
  if (!lists.empty())
    cuda_support::require_success(
        cudaMemcpy(lists.data(), filled.lists, lists.size() * sizeof lists[0], cudaMemcpyDeviceToHost),
        "cudaMemcpy");
  for (const of::tile_entry& t : tiles) {
    found.list_of_tile.push_back(t.list);
    found.index_of_tile.push_back(t.index);
  }
  for (const of::long_list& l : lists) {
    found.number.push_back(l.number);
    found.first.push_back(l.first);
    found.size.push_back(l.size);
  }
  return found;
}

}  // namespace cuda_detail_tiles_test
