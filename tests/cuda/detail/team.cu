// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>

#include "cuda/detail/team.hpp"
#include "cuda/support/device.hpp"

#include <cstdint>
#include <vector>

namespace cuda_detail_team_test {
namespace {

namespace of = rankloss::cuda::detail;

struct map {
  float slope, offset;
};

struct pointers {
  const float* x;
  std::uint32_t n;
  double* sum;
  of::placed<float>* greatest;
  std::uint32_t* least;
  double* scanned;
  map* maps;
  float* sorted;
  std::uint32_t* order;
  unsigned* differ;
};

template <class Team>
__device__ void find_all(const Team& team, const pointers& p, unsigned char* memory) {
  of::team_scratch scratch(memory);
  float* const keys = scratch.take<float>(p.n);
  std::uint32_t* const index = scratch.take<std::uint32_t>(p.n);
  double own = 0.0;
  of::placed<float> greatest{of::lowest_number<float>, ~std::uint32_t{0}};
  std::uint32_t least = ~std::uint32_t{0};
  for (std::uint32_t i = team.rank(); i < p.n; i += team.size()) {
    keys[i] = p.x[i];
    index[i] = i;
    own += p.x[i];
    if (p.x[i] > greatest.number) greatest = {p.x[i], i};
    least = i < least ? i : least;
  }
  const double sum = of::sum(team, own);
  const of::placed<float> most = of::greatest(team, greatest);
  const float number = of::greatest(team, greatest.number);
  least = of::least(team, least);
  const double total = of::scan_items(
      team, p.n, 0.0, [&](std::uint32_t i) { return static_cast<double>(p.x[i]); },
      [](double a, double b) { return a + b; }, [&](std::uint32_t i, double x) { p.scanned[i] = x; });
  of::scan_items(
      team, p.n, map{1.0f, 0.0f},
      [&](std::uint32_t i) {
        return map{i % 3 == 0 ? 0.5f : 1.0f, p.x[i]};
      },
      [](const map& first, const map& second) {
        return map{first.slope * second.slope, fmaf(second.slope, first.offset, second.offset)};
      },
      [&](std::uint32_t i, const map& m) { p.maps[i] = m; });
  of::sort_falling(team, p.n, keys, index);
  for (std::uint32_t i = team.rank(); i < p.n; i += team.size()) {
    p.sorted[i] = keys[i];
    p.order[i] = index[i];
  }
  if (team.rank() == 0) {
    *p.sum = sum;
    *p.greatest = most;
    *p.least = least;
  }
  team.sync();
  if (*p.sum != sum || p.greatest->index != most.index || most.number != number || *p.least != least ||
      (p.n > 0 && fabs(total - sum) > 1e-9 * (1.0 + fabs(sum))))
    atomicAdd(p.differ, 1u);
}

__global__ void by_warp(pointers p) {
  extern __shared__ __align__(16) unsigned char memory[];
  if (threadIdx.x >= of::warp_size) return;  // another warp, which has another list or none
  find_all(of::warp_team(), p, memory);
}
__global__ void by_block(pointers p) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ of::block_team::slots slots;
  find_all(of::block_team(slots), p, memory);
}

template <class T, class Team>
__device__ void sort_keys(const Team& team, T* keys, std::uint32_t* order, std::uint32_t n) {
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) order[i] = i;
  of::sort_falling(team, n, keys, order);
}
template <class T>
__global__ void sort_by_warp(T* keys, std::uint32_t* order, std::uint32_t n) {
  sort_keys(of::warp_team(), keys, order, n);
}
template <class T>
__global__ void sort_by_block(T* keys, std::uint32_t* order, std::uint32_t n) {
  __shared__ of::block_team::slots slots;
  sort_keys(of::block_team(slots), keys, order, n);
}

}  // namespace

template <class T>
std::vector<std::uint32_t> sort(std::vector<T>& keys, unsigned threads) {
  using cuda_support::array;
  const array<T> on_device(keys);
  const array<std::uint32_t> order(keys.size());
  of::launch("sort", threads == 0 ? sort_by_warp<T> : sort_by_block<T>, 1, threads == 0 ? 32 : threads, 0,
             nullptr, on_device.data(), order.data(), static_cast<std::uint32_t>(keys.size()));
  keys = on_device.host();
  return order.host();
}
template std::vector<std::uint32_t> sort(std::vector<float>&, unsigned);
template std::vector<std::uint32_t> sort(std::vector<double>&, unsigned);
template std::vector<std::uint32_t> sort(std::vector<std::int8_t>&, unsigned);
template std::vector<std::uint32_t> sort(std::vector<std::uint8_t>&, unsigned);
template std::vector<std::uint32_t> sort(std::vector<int>&, unsigned);

findings find(const std::vector<float>& numbers, unsigned threads) {
  using cuda_support::array;
  const std::size_t n = numbers.size();
  const array<float> x(numbers), sorted(n);
  const array<double> sum(1), scanned(n);
  const array<of::placed<float>> greatest(1);
  const array<std::uint32_t> least(1), order(n);
  const array<map> maps(n);
  const array<unsigned> differ(std::vector<unsigned>(1, 0u));
  const pointers p{x.data(),     static_cast<std::uint32_t>(n),
                   sum.data(),   greatest.data(),
                   least.data(), scanned.data(),
                   maps.data(),  sorted.data(),
                   order.data(), differ.data()};
  of::launch("find", threads == 0 ? by_warp : by_block, 1, threads == 0 ? 64 : threads, n * 8 + 64, nullptr,
             p);
  findings found;
  found.sum = sum.host()[0];
  found.greatest = greatest.host()[0].number;
  found.greatest_index = greatest.host()[0].index;
  found.least = least.host()[0];
  found.scanned = scanned.host();
  for (const map& m : maps.host()) {
    found.slope.push_back(m.slope);
    found.offset.push_back(m.offset);
  }
  found.sorted = sorted.host();
  found.order = order.host();
  found.same_everywhere = differ.host()[0] == 0;
  return found;
}

}  // namespace cuda_detail_team_test
