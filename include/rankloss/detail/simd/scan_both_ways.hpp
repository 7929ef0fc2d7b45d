// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// One scan down a list and one up, side by side until they meet, since each is a chain of steps that wait for the one before: what each has
/// summed up at an item then waits there for the other. above.step(k), for k = 0, 1, ..., n - 1, and below.step(k), for k = n - 1, ..., 0, return
/// what it is, waiting[k] has room for it, and emit(k, from above, from below) is called once an item, in no order.
///
/// Objects by value, whose steps are inlined: states that are handed on by reference are in memory, where each step waits for a store.
template <class Above, class Below, class Waiting, class Emit>
void scan_both_ways(std::size_t n, Above above, Below below, Waiting waiting, Emit emit) {
  const std::size_t half = n / 2;
  for (std::size_t i = 0; i < half; ++i) {
    waiting[i] = above.step(i);
    waiting[n - 1 - i] = below.step(n - 1 - i);
  }
  if (n % 2 == 1) waiting[half] = below.step(half);
  for (std::size_t i = half; i < n; ++i) emit(i, above.step(i), waiting[i]);
  for (std::size_t j = half; j-- > 0;) emit(j, waiting[j], below.step(j));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
