// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/falling_bits.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Sorts all long lists of a batch by the whole grid: a radix sort by digits of 8 bits, the least digit first.
/// Each pass counts the digits of each tile, sums the counts of a list up digit by digit, and moves the items
/// of each tile to their positions. A pass keeps the order of equal digits, so equal keys stay as they were.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

inline constexpr unsigned digit_bits = 8;
inline constexpr unsigned digits = 1u << digit_bits;
static_assert(digits == tile_threads);  // a thread for each digit
inline constexpr unsigned tile_warps = tile_threads / warp_size;
/// Items that each thread moves, and those of a warp, which are neighbours.
inline constexpr unsigned thread_items = tile_items / tile_threads;
inline constexpr std::uint32_t warp_items = thread_items * warp_size;

/// The runs of equal ones among n sorted keys.
template <class Key>
struct key_runs {
  const Key* keys;
  std::uint32_t n;

  /// Where the run of a position begins and ends.
  [[nodiscard]] __device__ std::uint32_t begin(std::uint32_t p) const {
    return first(0, p, [&](std::uint32_t q) { return keys[q] == keys[p]; });
  }
  [[nodiscard]] __device__ std::uint32_t end(std::uint32_t p) const {
    return first(p + 1, n, [&](std::uint32_t q) { return keys[q] != keys[p]; });
  }

 private:
  /// The first position in [from, to) for which `holds` holds, which it does for all later ones; else `to`.
  template <class Holds>
  [[nodiscard]] static __device__ std::uint32_t first(std::uint32_t from, std::uint32_t to, Holds holds) {
    while (from < to) {
      const std::uint32_t middle = from + (to - from) / 2;
      if (holds(middle))
        to = middle;
      else
        from = middle + 1;
    }
    return from;
  }
};

/// What is sorted: keys, and with them the index that each has in its list. What is to be sorted is in the
/// first of each two arrays, and there it is again when it has been sorted.
template <class Key>
struct sorted_arrays {
  static_assert(std::is_unsigned_v<Key>);
  Key* keys[2];               ///< [items]
  std::uint32_t* indices[2];  ///< [items] null: keys alone. They are numbered by the first pass

  /// With indices, or keys alone.
  [[nodiscard]] static sorted_arrays of(tile_arrays& from, bool with_indices) {
    sorted_arrays made{};
    for (Key*& k : made.keys) k = from.of_items<Key>();
    if (with_indices)
      for (std::uint32_t*& i : made.indices) i = from.of_items<std::uint32_t>();
    return made;
  }
};

/// What a pass knows of a batch.
struct digit_counts {
  std::uint32_t* of_tiles;  ///< [sorts][tiles][digits], in a list [digits][its tiles]
  std::uint32_t* of_lists;  ///< [sorts][lists][digits]

  [[nodiscard]] static digit_counts of(tile_arrays& from, unsigned sorts) {
    return {from.of_tiles<std::uint32_t>(std::size_t{sorts} * digits),
            from.of_lists<std::uint32_t>(std::size_t{sorts} * digits)};
  }
};

/// Several arrays of the same lists that are sorted by the same launches: one pass over them.
template <class Key, unsigned sorts>
struct sort_pass {
  struct moved_arrays {
    const Key* from;
    Key* to;
    const std::uint32_t* from_indices;
    std::uint32_t* to_indices;
  };
  tile_table table;
  digit_counts counts;
  moved_arrays arrays[sorts];
  unsigned shift;
  unsigned numbers;  ///< not 0: indices are numbered rather than read

  /// Those of one sort. Arrays of kernel parameters that have no fixed index would be copied.
  [[nodiscard]] __device__ moved_arrays of(unsigned sort) const {
    moved_arrays chosen = arrays[0];
#pragma unroll
    for (unsigned s = 1; s < sorts; ++s)
      if (s == sort) chosen = arrays[s];
    return chosen;
  }
  [[nodiscard]] __device__ unsigned digit(Key key) const {
    return static_cast<unsigned>(key >> shift) & (digits - 1);
  }
  /// The counts of a digit by the tiles of a list.
  [[nodiscard]] __device__ std::uint32_t* row(unsigned sort, const long_list& of, unsigned d) const {
    const std::size_t tile = std::size_t{sort} * table.most_tiles + table.tile_at(of.first);
    return counts.of_tiles + tile * digits + std::size_t{d} * tiles_of(of.kept);
  }
  [[nodiscard]] __device__ std::uint32_t* totals(unsigned sort, std::uint32_t list) const {
    return counts.of_lists + (std::size_t{sort} * table.most_lists + list) * digits;
  }
};

/// The lanes of a warp that have the same digit as this one; lanes that are not `any` have none.
[[nodiscard]] __device__ inline unsigned lanes_alike(unsigned digit, bool any) {
  return __match_any_sync(all_lanes, any ? digit : digits);
}

/// How often each digit is there, for each tile.
template <class Key, unsigned sorts>
__global__ void __launch_bounds__(tile_threads) count_digits(const sort_pass<Key, sorts> pass) {
  __shared__ std::uint32_t counts[digits];
  const unsigned sort = blockIdx.x / pass.table.most_tiles;
  const tile_place tile = tile_place::of_block(pass.table, blockIdx.x % pass.table.most_tiles);
  if (!tile.any()) return;
  counts[threadIdx.x] = 0;
  __syncthreads();
  const Key* keys = pass.of(sort).from + tile.of.first;
  const std::uint32_t end = tile.end_of(tile.of.kept);
  for (std::uint32_t begin = tile.begin(); begin < end; begin += tile_threads) {
    const std::uint32_t i = begin + threadIdx.x;
    const unsigned digit = i < end ? pass.digit(keys[i]) : 0;
    const unsigned alike = lanes_alike(digit, i < end);
    if (i < end && __ffs(static_cast<int>(alike)) - 1 == static_cast<int>(threadIdx.x % warp_size))
      atomicAdd(&counts[digit], static_cast<unsigned>(__popc(alike)));
  }
  __syncthreads();
  pass.row(sort, tile.of, threadIdx.x)[tile.index] = counts[threadIdx.x];
}

/// Replaces the counts of a digit by those of the tiles before, and keeps their sum. A warp for each digit of
/// each list.
template <class Key, unsigned sorts>
__global__ void __launch_bounds__(tile_threads) sum_digits(const sort_pass<Key, sorts> pass) {
  constexpr unsigned of_lane = 4;  // tiles that a lane reads at a time
  const unsigned lane = threadIdx.x % warp_size;
  const std::uint64_t row = std::uint64_t{blockIdx.x} * tile_warps + threadIdx.x / warp_size;
  const unsigned digit = static_cast<unsigned>(row % digits);
  const auto list = static_cast<std::uint32_t>(row / digits % pass.table.most_lists);
  const auto sort = static_cast<unsigned>(row / digits / pass.table.most_lists);
  const long_list of = pass.table.lists[list];
  if (!of.computed()) return;
  const std::uint32_t tiles = tiles_of(of.kept);
  std::uint32_t* const counts = pass.row(sort, of, digit);
  std::uint32_t before = 0;
  for (std::uint32_t begin = 0; begin < tiles; begin += warp_size * of_lane) {
    std::uint32_t own[of_lane], sum = 0;
    const std::uint32_t first = begin + lane * of_lane;
#pragma unroll
    for (unsigned k = 0; k < of_lane; ++k) own[k] = first + k < tiles ? counts[first + k] : 0;
#pragma unroll
    for (unsigned k = 0; k < of_lane; ++k) sum += own[k];
    const auto sums =
        scan(warp_team(), sum, std::uint32_t{0}, [](std::uint32_t a, std::uint32_t b) { return a + b; });
    std::uint32_t at = before + sums.before;
#pragma unroll
    for (unsigned k = 0; k < of_lane; ++k) {
      if (first + k < tiles) counts[first + k] = at;
      at += own[k];
    }
    before += sums.total;
  }
  if (lane == 0) pass.totals(sort, list)[digit] = before;
}

/// Moves the items of each tile to where their digits belong, in their order. They are brought together by
/// digit in shared memory first, so that neighbours are written together.
template <class Key, unsigned sorts>
__global__ void __launch_bounds__(tile_threads) move_items(const sort_pass<Key, sorts> pass) {
  __shared__ block_team::slots slots;
  __shared__ std::uint32_t counts[tile_warps][digits];
  __shared__ std::uint32_t shift_of[digits];
  __shared__ Key moved[tile_items];
  const unsigned sort = blockIdx.x / pass.table.most_tiles;
  const tile_place tile = tile_place::of_block(pass.table, blockIdx.x % pass.table.most_tiles);
  if (!tile.any()) return;
  const block_team team(slots);
  const auto arrays = pass.of(sort);
  const Key* keys = arrays.from + tile.of.first + tile.begin();
  const std::uint32_t n = tile.end_of(tile.of.kept) - tile.begin();
  const unsigned lane = team.rank() % warp_size, warp = team.warp();
  for (unsigned w = 0; w < tile_warps; ++w) counts[w][team.rank()] = 0;
  team.sync();

  // The position of each item among those of its digit and warp.
  const std::uint32_t first = warp * warp_items + lane;
  Key key[thread_items];
  std::uint32_t at[thread_items];
#pragma unroll
  for (unsigned k = 0; k < thread_items; ++k) {
    const bool any = first + k * warp_size < n;
    key[k] = any ? keys[first + k * warp_size] : Key{0};
    const unsigned digit = pass.digit(key[k]);
    const unsigned alike = lanes_alike(digit, any);
    const auto below = static_cast<unsigned>(__popc(alike & ((1u << lane) - 1)));
    at[k] = any ? counts[warp][digit] + below : 0;
    __syncwarp();
    if (any && below == 0) counts[warp][digit] += static_cast<unsigned>(__popc(alike));
    __syncwarp();
  }
  team.sync();

  // The positions of each digit in the tile, and how far from there it is to those in the list.
  {
    const unsigned digit = team.rank();
    const auto add = [](std::uint32_t a, std::uint32_t b) { return a + b; };
    std::uint32_t sum = 0;
    for (unsigned w = 0; w < tile_warps; ++w) sum += counts[w][digit];
    std::uint32_t begin = scan(team, sum, std::uint32_t{0}, add).before;
    const std::uint32_t in_list =
        scan(team, pass.totals(sort, tile.list)[digit], std::uint32_t{0}, add).before +
        pass.row(sort, tile.of, digit)[tile.index];
    shift_of[digit] = in_list - begin;
    for (unsigned w = 0; w < tile_warps; ++w) {
      const std::uint32_t own = counts[w][digit];
      counts[w][digit] = begin;
      begin += own;
    }
  }
  team.sync();

#pragma unroll
  for (unsigned k = 0; k < thread_items; ++k) {
    at[k] += counts[warp][pass.digit(key[k])];
    if (first + k * warp_size < n) moved[at[k]] = key[k];
  }
  team.sync();
  Key* const to = arrays.to + tile.of.first;
  std::uint32_t goes_to[thread_items];
#pragma unroll
  for (unsigned k = 0; k < thread_items; ++k) {
    const std::uint32_t p = k * tile_threads + team.rank();
    if (p >= n) continue;
    goes_to[k] = p + shift_of[pass.digit(moved[p])];
    to[goes_to[k]] = moved[p];
  }
  if (arrays.to_indices == nullptr) return;
  team.sync();
  auto* const moved_indices = reinterpret_cast<std::uint32_t*>(moved);
  const std::uint32_t* const indices = arrays.from_indices + tile.of.first + tile.begin();
#pragma unroll
  for (unsigned k = 0; k < thread_items; ++k) {
    const std::uint32_t p = first + k * warp_size;
    if (p < n) moved_indices[at[k]] = pass.numbers != 0 ? tile.begin() + p : indices[p];
  }
  team.sync();
  std::uint32_t* const to_indices = arrays.to_indices + tile.of.first;
#pragma unroll
  for (unsigned k = 0; k < thread_items; ++k) {
    const std::uint32_t p = k * tile_threads + team.rank();
    if (p < n) to_indices[goes_to[k]] = moved_indices[p];
  }
}

/// Queues the sort of all long lists by the lowest `bytes` bytes of their keys, an even number: three launches
/// for each of them, whatever the lists are.
/// @param numbers  whether indices are numbered in the order that there is, rather than moved
template <class Key, unsigned sorts>
void sort_lists(const tile_table& table, const digit_counts& counts,
                const sorted_arrays<Key> (&arrays)[sorts], cudaStream_t stream, bool numbers = true,
                unsigned bytes = sizeof(Key)) {
  sort_pass<Key, sorts> pass{.table = table, .counts = counts, .arrays = {}, .shift = 0, .numbers = 0};
  const unsigned blocks = table.most_tiles * sorts;
  for (unsigned byte = 0; byte < bytes; ++byte) {
    pass.shift = byte * digit_bits;
    const unsigned from = byte % 2;
    for (unsigned k = 0; k < sorts; ++k)
      pass.arrays[k] = {arrays[k].keys[from], arrays[k].keys[1 - from], arrays[k].indices[from],
                        arrays[k].indices[1 - from]};
    pass.numbers = numbers && byte == 0 ? 1 : 0;
    launch("count_digits", count_digits<Key, sorts>, blocks, tile_threads, 0, stream, pass);
    launch("sum_digits", sum_digits<Key, sorts>, table.most_lists * sorts * (digits / tile_warps),
           tile_threads, 0, stream, pass);
    launch("move_items", move_items<Key, sorts>, blocks, tile_threads, 0, stream, pass);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
