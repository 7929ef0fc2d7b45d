// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// One scan down a list and one up, interleaved. Each is a chain of dependent steps, so the two hide each
/// other's latency. Until they meet, the result of each at an item is kept in `waiting` for the other scan.
/// above.step(k), for k = 0, 1, ..., n - 1, and below.step(k), for k = n - 1, ..., 0, return the state of the
/// scan at item k, waiting[k] holds one such state, and emit(k, from above, from below) is called once for
/// each item, in unspecified order.
///
/// `above` and `below` are passed by value and their steps are inlined: states passed by reference would live
/// in memory, where each step would wait for the store of the one before.
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
