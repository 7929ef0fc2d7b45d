// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/error.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

/// Tiles: long lists are cut into parts of equally many items, each of which a block computes, so that a list
/// is computed by the whole grid. What depends on all items of a list is computed in steps, each a launch:
/// blocks leave what they have found of their tiles, and a later launch combines it, list by list.
///
/// Tiles begin where their list does, so what is computed of a list does not depend on the batch around it.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Threads of a block that computes a tile, and of one that combines the tiles of a list.
inline constexpr unsigned tile_threads = 256;
/// Items of a tile. An odd number for each thread, so that threads which pass neighbouring items meet
/// different banks of shared memory.
inline constexpr std::uint32_t tile_items = 9 * tile_threads;

/// The number of tiles of so many items.
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t tiles_of(std::uint32_t items) noexcept {
  return items / tile_items + (items % tile_items > 0 ? 1u : 0u);
}

/// A long list, in the memory of the device.
struct long_list {
  std::uint64_t number;  ///< in its batch; none: there is no list here
  std::uint64_t first;   ///< where it begins, in arrays of items
  fault_word word;       ///< what is wrong with it: nothing is computed of such a list
  std::uint32_t size;    ///< items
  std::uint32_t kept;    ///< items that the mask keeps

  static constexpr std::uint64_t none = ~std::uint64_t{0};
  [[nodiscard]] __device__ bool computed() const { return number != none && word == no_fault && kept > 0; }
};

/// Which list a tile is of, and its index among the tiles of that list.
struct tile_entry {
  std::uint32_t list;
  std::uint32_t index;

  static constexpr std::uint32_t none = ~std::uint32_t{0};
};

/// All long lists of a batch, and their tiles. Where a list stands in it follows from where the list begins:
/// as each has at least `shortest` items, no two of them meet. So the table is filled without a scan over the
/// lists, and the host knows how large it is. Elements that are not used say so.
struct tile_table {
  tile_entry* tiles;
  long_list* lists;
  std::uint32_t most_tiles, most_lists;
  std::uint32_t shortest;  ///< lists of fewer items are not in it; at least tile_items

  [[nodiscard]] static std::uint32_t tiles_for(std::size_t items, std::uint32_t shortest) noexcept {
    return static_cast<std::uint32_t>(items / tile_items + items / shortest);
  }
  [[nodiscard]] static std::uint32_t lists_for(std::size_t items, std::uint32_t shortest) noexcept {
    return static_cast<std::uint32_t>(items / shortest);
  }
  /// The element of the list that begins at this item, and that of its first tile: it has at most
  /// n / tile_items + 1 of them, and the next list begins at least n items later.
  [[nodiscard]] __device__ std::uint32_t list_at(std::uint64_t first) const {
    return static_cast<std::uint32_t>(first / shortest);
  }
  [[nodiscard]] __device__ std::uint32_t tile_at(std::uint64_t first) const {
    return static_cast<std::uint32_t>(first / tile_items + first / shortest);
  }
};

/// The tile of a block, and its list. `index` is none where there is nothing to compute.
struct tile_place {
  std::uint32_t list, index;
  long_list of;

  /// Of all items, or of those that the mask keeps.
  [[nodiscard]] __device__ static tile_place of_block(const tile_table& table, std::uint32_t block,
                                                      bool all_items = false) {
    const tile_entry entry = table.tiles[block];
    if (entry.list == tile_entry::none) return {0, tile_entry::none, {}};
    const long_list of = table.lists[entry.list];
    const bool any =
        all_items ? entry.index < tiles_of(of.size) : of.computed() && entry.index < tiles_of(of.kept);
    return {entry.list, any ? entry.index : tile_entry::none, of};
  }
  [[nodiscard]] __device__ bool any() const { return index != tile_entry::none; }
  [[nodiscard]] __device__ std::uint32_t begin() const { return index * tile_items; }
  [[nodiscard]] __device__ std::uint32_t end_of(std::uint32_t n) const {
    return n - begin() < tile_items ? n : begin() + tile_items;
  }
};

/// Fills a table, whose bytes are all set. `place(l)` says where list l begins and how many items it has.
template <class Places>
__global__ void __launch_bounds__(tile_threads)
    fill_tiles(const Places places, std::size_t lists, const tile_table table) {
  const unsigned lane = threadIdx.x % warp_size;
  const std::size_t threads = std::size_t{gridDim.x} * tile_threads;
  const std::size_t warp_begin = std::size_t{blockIdx.x} * tile_threads + (threadIdx.x - lane);
  for (std::size_t begin = warp_begin; begin < lists; begin += threads) {
    long_list own{begin + lane, 0, no_fault, 0, 0};
    if (own.number < lists) {
      const auto place = places(own.number);
      own.first = place.first;
      own.size = own.kept = place.size;
    }
    const bool is_long = own.size >= table.shortest;
    if (is_long) table.lists[table.list_at(own.first)] = own;
    // The tiles of a list are written by a warp, as one list may have most of them.
    for (unsigned which = __ballot_sync(all_lanes, is_long ? 1 : 0); which != 0; which &= which - 1) {
      const unsigned of = static_cast<unsigned>(__ffs(static_cast<int>(which))) - 1;
      const std::uint64_t first = from_lane(own.first, of);
      const std::uint32_t tiles = tiles_of(from_lane(own.size, of));
      for (std::uint32_t t = lane; t < tiles; t += warp_size)
        table.tiles[table.tile_at(first) + t] = {table.list_at(first), t};
    }
  }
}

/// Arrays of long lists, taken one behind the other from scratch; without memory their bytes are counted.
class tile_arrays {
 public:
  tile_arrays(unsigned char* memory, std::size_t items, std::uint32_t shortest) noexcept
      : begin_(reinterpret_cast<std::uintptr_t>(memory)),
        items_(items),
        most_tiles_(tile_table::tiles_for(items, shortest)),
        most_lists_(tile_table::lists_for(items, shortest)) {}

  /// An element for each item of the batch, list after list; for each tile; for each list.
  template <class X>
  [[nodiscard]] X* of_items() noexcept {
    return take<X>(items_);
  }
  template <class X>
  [[nodiscard]] X* of_tiles(std::size_t each = 1) noexcept {
    return take<X>(most_tiles_ * each);
  }
  template <class X>
  [[nodiscard]] X* of_lists(std::size_t each = 1) noexcept {
    return take<X>(most_lists_ * each);
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] tile_table table(std::uint32_t shortest) noexcept {
    return {of_tiles<tile_entry>(), of_lists<long_list>(), most_tiles_, most_lists_, shortest};
  }

 private:
  template <class X>
  [[nodiscard]] X* take(std::size_t n) noexcept {
    const std::uintptr_t at = begin_ + bytes_;
    bytes_ += (n * sizeof(X) + 255) / 256 * 256;
    return reinterpret_cast<X*>(at);
  }

  std::uintptr_t begin_;
  std::size_t items_;
  std::uint32_t most_tiles_, most_lists_;
  std::size_t bytes_ = 0;
};

/// Queues what says of all lists that there is none, on a stream.
inline void clear_lists(long_list* lists, std::uint32_t most_lists, cudaStream_t stream) {
  require_success(cudaMemsetAsync(lists, 0xff, std::size_t{most_lists} * sizeof(long_list), stream),
                  "cudaMemsetAsync");
}

/// Queues what fills a table, on a stream.
template <class Places>
void find_tiles(const tile_table& table, const Places& places, std::size_t lists, cudaStream_t stream) {
  if (table.most_lists == 0) return;
  require_success(
      cudaMemsetAsync(table.tiles, 0xff, std::size_t{table.most_tiles} * sizeof(tile_entry), stream),
      "cudaMemsetAsync");
  clear_lists(table.lists, table.most_lists, stream);
  const std::size_t blocks = (lists + tile_threads - 1) / tile_threads;
  launch("fill_tiles", fill_tiles<Places>,
         static_cast<unsigned>(blocks < (std::size_t{1} << 20) ? blocks : std::size_t{1} << 20), tile_threads,
         0, stream, places, lists, table);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
