// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/device_span.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Lists of arrays that are no scores with relevance: trajectories, and lists with an order. Where they lie, and
/// which threads compute which of them.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Lists by their offsets in the memory of the device; without offsets all items are one list. The first three
/// fields of a batch of such lists are its offsets.
struct ragged_lists {
  device_indices offsets;
  std::size_t items;

  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t count() const {
    return offsets.empty() ? 1 : offsets.size() - 1;
  }
  /// Where list l begins; for l = count() where the last list ends.
  [[nodiscard]] __device__ std::size_t first(std::size_t l) const {
    if (offsets.empty()) return l == 0 ? 0 : items;
    return static_cast<std::size_t>(offsets[l]);
  }
  [[nodiscard]] __device__ std::uint32_t size(std::size_t l) const {
    return static_cast<std::uint32_t>(first(l + 1) - first(l));
  }

  /// The list that an item is in: the last one that begins at or before it, which is not empty.
  [[nodiscard]] __device__ std::size_t of_item(std::size_t i) const {
    std::size_t least = 0, most = count();
    while (most - least > 1) {
      const std::size_t middle = least + (most - least) / 2;
      (first(middle) <= i ? least : most) = middle;
    }
    return least;
  }

  /// What is wrong with offset l, the first of its faults. Lists of a batch without such a fault lie within it.
  [[nodiscard]] __device__ fault_word fault(std::size_t l) const {
    if (l >= offsets.size()) return no_fault;
    if (l == 0 && offsets[0] != 0) return fault_of_field(0, 0);
    if (l > 0 && offsets[l - 1] > offsets[l]) return fault_of_field(1, l);
    if (l + 1 == offsets.size() && offsets[l] != static_cast<std::int64_t>(items))
      return fault_of_field(2, l);
    return no_fault;
  }
  /// @returns whether the fault is one of these
  __device__ bool describe(fault_word word, fault_record& record) const {
    const unsigned field = field_of(word);
    const std::size_t l = item_of(word);
    if (field >= fields) return false;
    record.whole = offsets[l];
    record.other = field == 1 ? offsets[l - 1] : static_cast<std::int64_t>(items);
    return true;
  }
  static constexpr unsigned fields = 3;
};
/// The words of these fields; `unit` is what the items are, in the plural.
#define RANKLOSS_OFFSET_WORDS(unit)                                                        \
  "offsets: first is $w, expected 0", "offsets: $w at $i after $o, expected them to rise", \
      "offsets: last is $w, expected $o (the number of " unit ")"

/// Threads of a block that takes several lists: each warp a short one, and then all of them the long ones. As in
/// kernels of lists, one block may take all registers where a kernel would spill.
inline constexpr unsigned ragged_threads = 256;
inline constexpr unsigned ragged_warps = ragged_threads / warp_size;

/// Calls body(team, l) for each list: a list of up to longest_of_warp items has a warp for its team, a longer one
/// the block. All threads of a block of `ragged_threads` call it.
template <class Body>
__device__ inline void for_each_list(const ragged_lists& lists, Body body) {
  __shared__ block_team::slots slots;
  const block_team block(slots);
  const std::size_t count = lists.count();
  for (std::size_t first = std::size_t{blockIdx.x} * ragged_warps; first < count;
       first += std::size_t{gridDim.x} * ragged_warps) {
    const std::size_t own = first + block.warp();
    if (own < count && lists.size(own) <= longest_of_warp) body(warp_team{}, own);
    block.sync();
    for (std::size_t l = first; l < first + ragged_warps && l < count; ++l) {
      if (lists.size(l) <= longest_of_warp) continue;
      body(block, l);
      block.sync();
    }
  }
}
/// The blocks of such a launch.
[[nodiscard]] inline unsigned ragged_blocks(std::size_t lists) noexcept {
  return static_cast<unsigned>(std::min(most_blocks, (lists + ragged_warps - 1) / ragged_warps));
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
