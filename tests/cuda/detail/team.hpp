// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cuda_detail_team_test {

/// What a team finds of n numbers.
struct findings {
  double sum = 0.0;
  float greatest = 0.0f;
  std::uint32_t greatest_index = 0, least = 0;
  std::vector<double> scanned;       // [n] inclusive sums of the numbers
  std::vector<float> slope, offset;  // [n] inclusive compositions of the maps x -> a x + b
  std::vector<float> sorted;         // [n] falling
  std::vector<std::uint32_t> order;  // [n]
  bool same_everywhere = false;      // whether every thread has the same results
};

/// Computed by a warp (threads = 0), or by a block of so many threads, in shared memory.
findings find(const std::vector<float>& numbers, unsigned threads);

/// Sorts keys, the greatest first, by a warp (threads = 0) or by a block; returns where they stood.
template <class T>
std::vector<std::uint32_t> sort(std::vector<T>& keys, unsigned threads);

}  // namespace cuda_detail_team_test
