// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/loops.hpp>

#include <array>
#include <bit>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Batcher's merge exchange for any n (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M): calls
/// exchange(i, j), i < j. If each call orders its pair, the sequence ends sorted. The calls do not depend on
/// the data, so many sequences can be sorted at once. The last phase, p = 1, merges the sorted items at even
/// positions with those at odd positions; with `first_phase` = 1 it is the only phase.
template <class Exchange>
constexpr void merge_exchange(std::size_t n, Exchange exchange, std::size_t first_phase = 0) {
  if (n < 2) return;
  const std::size_t top = std::bit_ceil(n) / 2;
  for (std::size_t p = first_phase > 0 ? first_phase : top; p > 0; p /= 2) {
    std::size_t q = top;
    std::size_t r = 0;
    for (std::size_t d = p;;) {
      // i takes the values in [0, n - d) with (i & p) == r, which are every other block of p.
      for (std::size_t block = r; block + d < n; block += 2 * p) {
        const std::size_t end = block + p < n - d ? block + p : n - d;
        for (std::size_t i = block; i < end; ++i) exchange(i, i + d);
      }
      if (q == p) break;
      d = q - p;
      q /= 2;
      r = p;
    }
  }
}

/// The exchanges of merge_exchange for a small constant n, computed at compile time.
template <std::size_t n, std::size_t first_phase>
struct exchanges {
  static constexpr std::size_t count = [] {
    std::size_t c = 0;
    merge_exchange(
        n, [&](std::size_t, std::size_t) { ++c; }, first_phase);
    return c;
  }();
  static constexpr auto pairs = [] {
    std::array<std::array<std::size_t, 2>, count> all{};
    std::size_t c = 0;
    merge_exchange(
        n,
        [&](std::size_t i, std::size_t j) {
          all[c++] = {i, j};
        },
        first_phase);
    return all;
  }();

  template <class Row, class Order>
  [[gnu::always_inline]] static void run(Row* rows, Order order) {
    unrolled<count>([&]<std::size_t c> { order(rows[pairs[c][0]], rows[pairs[c][1]]); });
  }
};

/// Networks sort rows in blocks of this size: a block and the one that it is merged with fit in registers.
inline constexpr std::size_t network_block = 8;

/// Sorts `count` rows, a multiple of network_block, by a network: load(i) returns a row, store(i, row) stores
/// it, order(a, b) puts the lower item of each lane in a and the higher one in b. It is a network of blocks:
/// where a network of items would exchange two items, two sorted blocks are merged and split, in registers.
template <class Load, class Store, class Order>
void sort_rows(std::size_t count, Load load, Store store, Order order) {
  constexpr std::size_t b = network_block;
  using row = decltype(load(std::size_t{}));
  for (std::size_t i = 0; i < count; i += b) {
    row rows[b];
    unrolled<b>([&]<std::size_t k> { rows[k] = load(i + k); });
    exchanges<b, 0>::run(rows, order);
    unrolled<b>([&]<std::size_t k> { store(i + k, rows[k]); });
  }
  merge_exchange(count / b, [&](std::size_t i, std::size_t j) {
    row rows[2 * b];
    unrolled<b>([&]<std::size_t k> {
      rows[2 * k] = load(i * b + k);
      rows[2 * k + 1] = load(j * b + k);
    });
    exchanges<2 * b, 1>::run(rows, order);
    unrolled<b>([&]<std::size_t k> {
      store(i * b + k, rows[k]);
      store(j * b + k, rows[b + k]);
    });
  });
}

/// The number of rows, rounded up to a multiple of network_block.
[[nodiscard]] constexpr std::size_t network_rows(std::size_t rows) noexcept {
  return (rows + network_block - 1) / network_block * network_block;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
