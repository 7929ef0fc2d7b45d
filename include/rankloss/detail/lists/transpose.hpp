// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <cstddef>

/// The rows of a matrix as columns of another. What takes time is the memory: rows of large matrices are pages
/// apart, out of reach of what the hardware prefetches, so that plain loops are as fast as shuffles of registers
/// (docs/results.md) and faces stay free of SIMD.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Brings a row to the second cache, or to the first one where it is about to be written. Rows that are read do not
/// go to the first cache, where those of a power of two apart take turns in few places.
template <bool writes, class X>
[[gnu::always_inline]] inline void prefetch_row([[maybe_unused]] const X* row,
                                                [[maybe_unused]] std::size_t n) noexcept {
#if defined(__GNUC__)
  for (std::size_t i = 0; i < n; i += 64 / sizeof(X))
    __builtin_prefetch(row + i, writes ? 1 : 0, writes ? 3 : 2);
#endif
}

/// to(l, i) = from(i, l) for all rows i and lists l: `from` has its lists next to each other, `to` its items.
/// Squares of 8 are written row by row, and the rows of the next strip are brought to the cache while one is copied.
template <class X>
void transpose(const X* from, std::size_t from_row, std::size_t rows, std::size_t lists, X* to,
               std::size_t to_row) noexcept {
  constexpr std::size_t strip = 16, side = 8;
  for (std::size_t first = 0; first < rows; first += strip) {
    const std::size_t end = std::min(first + strip, rows), next = std::min(end + strip, rows);
    for (std::size_t i = end; i < next; ++i) prefetch_row<false>(from + i * from_row, lists);
    for (std::size_t l = 0; l < lists; l += side) {
      std::size_t i = first;
      for (; i + side <= end && l + side <= lists; i += side)
        for (std::size_t c = l; c < l + side; ++c)
          for (std::size_t r = i; r < i + side; ++r) to[c * to_row + r] = from[r * from_row + c];
      for (std::size_t c = l; c < std::min(l + side, lists); ++c)
        for (std::size_t r = i; r < end; ++r) to[c * to_row + r] = from[r * from_row + c];
    }
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
