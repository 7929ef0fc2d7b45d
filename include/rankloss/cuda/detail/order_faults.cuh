// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/error.hpp>

#include <cstddef>
#include <cstdint>

/// Checks that orders of lists hold each item once. Their entries are indices into memory, so this is not left out
/// where numbers are not looked at.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The words of two fields: entries that are no items, and those that come again.
#define RANKLOSS_ORDER_WORDS                                           \
  "orders: $w at list $l, position $i, expected an item from 0 to $o", \
      "orders: $w at list $l, position $i, expected each item once"

/// What a launch is given, by value.
struct order_check {
  ragged_lists lists;
  device_indices orders;  ///< [items]
  /// [items] the first position of each item; the greatest number before. Then one more: 0 where no other field
  /// of the batch has a fault
  std::uint32_t* first;
  unsigned field;  ///< of the first of the two words

  [[nodiscard]] __device__ bool is_item(std::int64_t item, std::uint32_t n) const {
    return item >= 0 && item < static_cast<std::int64_t>(n);
  }
  /// Of a fault of either field, which is found at an element of all orders: list, position and field.
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t at = item_of(word);
    const std::size_t l = lists.of_item(at);
    record.list = l;
    record.whole = orders[at];
    record.other = static_cast<std::int64_t>(lists.size(l)) - 1;
    record.word =
        fault_of_field(is_item(record.whole, lists.size(l)) ? field + 1 : field, at - lists.first(l));
  }
};

template <class Check>
__global__ void __launch_bounds__(ragged_threads) mark_orders(const Check check, const fault_record* faults) {
  if (faults->places != no_fault) return;
  if (blockIdx.x == 0 && threadIdx.x == 0) check.first[check.lists.items] = 0;
  for_each_list(check.lists, [&](const auto& team, std::size_t l) {
    const std::size_t first = check.lists.first(l);
    const std::uint32_t n = check.lists.size(l);
    for (std::uint32_t k = team.rank(); k < n; k += team.size()) {
      const std::int64_t item = check.orders[first + k];
      if (check.is_item(item, n)) atomicMin(&check.first[first + static_cast<std::size_t>(item)], k);
    }
  });
}
template <class Check>
__global__ void __launch_bounds__(ragged_threads) find_order_faults(const Check check, fault_record* faults) {
  if (check.first[check.lists.items] != 0) return;
  for_each_list(check.lists, [&](const auto& team, std::size_t l) {
    const std::size_t first = check.lists.first(l);
    const std::uint32_t n = check.lists.size(l);
    for (std::uint32_t k = team.rank(); k < n; k += team.size()) {
      const std::int64_t item = check.orders[first + k];
      if (check.is_item(item, n) && check.first[first + static_cast<std::size_t>(item)] == k) continue;
      atomicMin(reinterpret_cast<unsigned long long*>(&faults->places),
                fault_of_field(check.field, first + k));
      break;
    }
  });
}
/// Finds the first fault of the orders, unless one of another field has been found before.
inline void look_at_orders(const order_check& check, fault_record* faults, cudaStream_t stream) {
  const std::size_t lists = check.lists.count();
  if (lists == 0 || check.lists.items == 0) return;
  require_success(cudaMemsetAsync(check.first, 0xff, (check.lists.items + 1) * sizeof(std::uint32_t), stream),
                  "cudaMemsetAsync");
  launch("mark_orders", mark_orders<order_check>, ragged_blocks(lists), ragged_threads, 0, stream, check,
         faults);
  launch("find_order_faults", find_order_faults<order_check>, ragged_blocks(lists), ragged_threads, 0, stream,
         check, faults);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
