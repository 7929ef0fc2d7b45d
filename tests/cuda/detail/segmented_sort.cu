// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/detail/segmented_sort.cuh>

#include "cuda/detail/segmented_sort.hpp"
#include "cuda/support/device.hpp"
#include "cuda/support/lists_by_offsets.cuh"

namespace cuda_detail_segmented_sort_test {
namespace {

namespace of = rankloss::cuda::detail;
using cuda_support::array;
using cuda_support::require_success;

template <class T, class Key>
__global__ void fill(of::tile_table table, const T* numbers, Key* keys) {
  const of::tile_place tile = of::tile_place::of_block(table, blockIdx.x);
  if (!tile.any()) return;
  for (std::uint32_t i = tile.begin() + threadIdx.x; i < tile.end_of(tile.of.kept); i += of::tile_threads)
    keys[tile.of.first + i] = of::falling_bits<T>::of(numbers[tile.of.first + i]);
}
template <class T, class Key>
__global__ void read(of::tile_table table, const Key* keys, T* numbers) {
  const of::tile_place tile = of::tile_place::of_block(table, blockIdx.x);
  if (!tile.any()) return;
  for (std::uint32_t i = tile.begin() + threadIdx.x; i < tile.end_of(tile.of.kept); i += of::tile_threads)
    numbers[tile.of.first + i] = of::falling_bits<T>::number(keys[tile.of.first + i]);
}
__global__ void copy(of::tile_table table, const std::uint32_t* from, std::uint32_t* to) {
  const of::tile_place tile = of::tile_place::of_block(table, blockIdx.x);
  if (!tile.any()) return;
  for (std::uint32_t i = tile.begin() + threadIdx.x; i < tile.end_of(tile.of.kept); i += of::tile_threads)
    to[tile.of.first + i] = from[tile.of.first + i];
}
__global__ void gather(of::tile_table table, const std::uint32_t* order, const std::uint32_t* from,
                       std::uint32_t* to) {
  const of::tile_place tile = of::tile_place::of_block(table, blockIdx.x);
  if (!tile.any()) return;
  for (std::uint32_t i = tile.begin() + threadIdx.x; i < tile.end_of(tile.of.kept); i += of::tile_threads)
    to[tile.of.first + i] = from[tile.of.first + order[tile.of.first + i]];
}

/// Takes the arrays of a test twice: to count, and for good.
template <class Key>
struct taken {
  of::tile_table table;
  of::digit_counts counts;
  of::sorted_arrays<Key> arrays[2];

  taken(of::tile_arrays from, std::uint32_t shortest, std::size_t& bytes)
      : table(from.table(shortest)),
        counts(of::digit_counts::of(from, 2)),
        arrays{of::sorted_arrays<Key>::of(from, true), of::sorted_arrays<Key>::of(from, false)} {
    bytes = from.bytes();
  }
};
template <class Key>
struct in_memory {
  std::size_t bytes = 0;
  taken<Key> counted;
  array<unsigned char> memory;
  taken<Key> of;

  in_memory(std::size_t items, std::uint32_t shortest)
      : counted(of::tile_arrays(nullptr, items, shortest), shortest, bytes),
        memory(bytes),
        of(of::tile_arrays(memory.data(), items, shortest), shortest, bytes) {}
};

}  // namespace

template <class T>
sorted<T> sort(const std::vector<T>& numbers, const std::vector<T>& alone,
               const std::vector<std::int64_t>& offsets, std::uint32_t shortest) {
  using Key = typename of::falling_bits<T>::type;
  const std::size_t items = numbers.size();
  const array<T> on(numbers), alone_on(alone), out(std::vector<T>(items, T{0})),
      alone_out(std::vector<T>(items, T{0}));
  const array<std::uint32_t> order(std::vector<std::uint32_t>(items, 0));
  const array<std::int64_t> offsets_on(offsets);
  const in_memory<Key> to(items, shortest);
  const unsigned tiles = to.of.table.most_tiles;
  of::find_tiles(to.of.table, cuda_support::by_offsets{offsets_on.data()}, offsets.size() - 1, nullptr);
  of::launch("fill", fill<T, Key>, tiles, of::tile_threads, 0, nullptr, to.of.table, on.data(),
             to.of.arrays[0].keys[0]);
  of::launch("fill", fill<T, Key>, tiles, of::tile_threads, 0, nullptr, to.of.table, alone_on.data(),
             to.of.arrays[1].keys[0]);
  of::sort_lists(to.of.table, to.of.counts, to.of.arrays, nullptr);
  of::launch("read", read<T, Key>, tiles, of::tile_threads, 0, nullptr, to.of.table, to.of.arrays[0].keys[0],
             out.data());
  of::launch("read", read<T, Key>, tiles, of::tile_threads, 0, nullptr, to.of.table, to.of.arrays[1].keys[0],
             alone_out.data());
  of::launch("copy", copy, tiles, of::tile_threads, 0, nullptr, to.of.table, to.of.arrays[0].indices[0],
             order.data());
  return {out.host(), order.host(), alone_out.host()};
}
template sorted<float> sort(const std::vector<float>&, const std::vector<float>&,
                            const std::vector<std::int64_t>&, std::uint32_t);
template sorted<double> sort(const std::vector<double>&, const std::vector<double>&,
                             const std::vector<std::int64_t>&, std::uint32_t);

template <class T>
std::vector<std::uint32_t> order_of(const std::vector<T>& numbers) {
  using Key = typename of::falling_bits<T>::type;
  const auto n = static_cast<std::uint32_t>(numbers.size());
  const array<T> on(numbers);
  const array<std::uint32_t> order(n);
  const array<std::int64_t> offsets(std::vector<std::int64_t>{0, static_cast<std::int64_t>(n)});
  const in_memory<Key> to(n, n);
  const of::tile_table& table = to.of.table;
  of::find_tiles(table, cuda_support::by_offsets{offsets.data()}, 1, nullptr);
  of::launch("fill", fill<T, Key>, table.most_tiles, of::tile_threads, 0, nullptr, table, on.data(),
             to.of.arrays[0].keys[0]);
  of::sort_lists(table, to.of.counts, {to.of.arrays[0]}, nullptr);
  of::launch("copy", copy, table.most_tiles, of::tile_threads, 0, nullptr, table, to.of.arrays[0].indices[0],
             order.data());
  return order.host();
}
template std::vector<std::uint32_t> order_of(const std::vector<std::int8_t>&);
template std::vector<std::uint32_t> order_of(const std::vector<std::uint32_t>&);
template std::vector<std::uint32_t> order_of(const std::vector<std::int64_t>&);

std::vector<std::uint32_t> sort_by_bytes(const std::vector<std::uint32_t>& second,
                                         const std::vector<std::uint32_t>& first) {
  const auto n = static_cast<std::uint32_t>(second.size());
  const array<std::uint32_t> first_on(first), second_on(second), order(n);
  const array<std::int64_t> offsets(std::vector<std::int64_t>{0, static_cast<std::int64_t>(n)});
  const in_memory<std::uint32_t> to(n, n);
  const of::tile_table& table = to.of.table;
  const unsigned tiles = table.most_tiles;
  of::find_tiles(table, cuda_support::by_offsets{offsets.data()}, 1, nullptr);
  of::launch("copy", copy, tiles, of::tile_threads, 0, nullptr, table, second_on.data(),
             to.of.arrays[0].keys[0]);
  const of::sorted_arrays<std::uint32_t> arrays[1] = {to.of.arrays[0]};
  of::sort_lists(table, to.of.counts, arrays, nullptr, true, 2);
  if (!first.empty()) {
    of::launch("gather", gather, tiles, of::tile_threads, 0, nullptr, table, arrays[0].indices[0],
               first_on.data(), arrays[0].keys[0]);
    of::sort_lists(table, to.of.counts, arrays, nullptr, false);
  }
  of::launch("copy", copy, tiles, of::tile_threads, 0, nullptr, table, arrays[0].indices[0], order.data());
  return order.host();
}

}  // namespace cuda_detail_segmented_sort_test
