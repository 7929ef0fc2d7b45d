// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>

#include <cstddef>
#include <cstdint>
#include <utility>

/// Sorts an array over the whole grid: runs are sorted in shared memory, and then merged two by two. Which
/// kernels are launched depends on the size alone, and no block waits for another.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

inline constexpr unsigned merge_threads = 256;
/// Elements that a block sorts in shared memory.
inline constexpr std::size_t sorted_run = 2048;

/// Sorts runs of `sorted_run` neighbours, one a block.
template <class Key>
__global__ void __launch_bounds__(merge_threads) sort_runs(Key* keys, std::size_t count) {
  __shared__ Key run[sorted_run];
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const std::size_t first = std::size_t{blockIdx.x} * sorted_run;
  const auto n = static_cast<std::uint32_t>(count - first < sorted_run ? count - first : sorted_run);
  for (std::uint32_t k = team.rank(); k < n; k += team.size()) run[k] = keys[first + k];
  sort(
      team, n, [&](std::uint32_t a, std::uint32_t b) { return run[a] < run[b]; },
      [&](std::uint32_t a, std::uint32_t b) {
        const Key key = run[a];
        run[a] = run[b];
        run[b] = key;
      });
  for (std::uint32_t k = team.rank(); k < n; k += team.size()) keys[first + k] = run[k];
}

/// Merges runs of `length` neighbours two by two. Each key goes behind those of its own run and of the other one
/// that are less, and one of the second run also behind those of the first one that are equal.
template <class Key>
__global__ void __launch_bounds__(merge_threads)
    merge_runs(const Key* keys, Key* merged, std::size_t count, std::size_t length) {
  const std::size_t k = std::size_t{blockIdx.x} * merge_threads + threadIdx.x;
  if (k >= count) return;
  const Key key = keys[k];
  const std::size_t both = k / (2 * length) * (2 * length), middle = both + length;
  const bool in_second = k >= middle;
  std::size_t least = in_second ? both : middle, most = in_second ? middle : middle + length;
  least = least < count ? least : count;
  most = most < count ? most : count;
  const std::size_t other = least;
  while (least < most) {
    const std::size_t at = least + (most - least) / 2;
    if (keys[at] < key || (in_second && keys[at] == key))
      least = at + 1;
    else
      most = at;
  }
  merged[both + (k - (in_second ? middle : both)) + (least - other)] = key;
}

/// Sorts keys. Returns which of the two arrays holds them in the end.
template <class Key>
[[nodiscard]] Key* merge_sort(Key* keys, Key* scratch, std::size_t count, cudaStream_t stream) {
  if (count < 2) return keys;
  launch("sort_runs", sort_runs<Key>, static_cast<unsigned>((count + sorted_run - 1) / sorted_run),
         merge_threads, 0, stream, keys, count);
  for (std::size_t length = sorted_run; length < count; length *= 2) {
    launch("merge_runs", merge_runs<Key>, static_cast<unsigned>((count + merge_threads - 1) / merge_threads),
           merge_threads, 0, stream, keys, scratch, count, length);
    std::swap(keys, scratch);
  }
  return keys;
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
