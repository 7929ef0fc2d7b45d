// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstdint>
#include <type_traits>

/// Sums over all pairs of the items of a list, O(n^2): each item sums up its own pairs, so no two threads add
/// to the same number, and the order of the summands is that of the items.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Lanes that share the pairs of one item: neighbours read neighbouring items, and short lists occupy more
/// threads.
inline constexpr unsigned lanes_of_item = 8;

/// Two sums that are formed together.
struct two_sums {
  double first, second;
  [[nodiscard]] friend __device__ two_sums operator+(const two_sums& a, const two_sums& b) {
    return {a.first + b.first, a.second + b.second};
  }
};

/// Neighbouring items of a list: all of them, or those of one block where several share the pairs of a list.
struct item_range {
  std::uint32_t from, to;

  template <class Team, class Body>
  __device__ void for_own(const Team& team, Body body) const {
    for (std::uint32_t i = from + team.rank(); i < to; i += team.size()) body(i);
  }
};

/// The number of those items among part, part + lanes_of_item, ... < n that come before item i, where equal
/// ones come in the order of the items: not_after(j) says whether item j may stand before it if j < i,
/// before(j) if j > i.
template <class NotAfter, class Before>
[[nodiscard]] __device__ inline std::uint32_t count_before(std::uint32_t n, std::uint32_t i,
                                                           std::uint32_t part, NotAfter not_after,
                                                           Before before) {
  std::uint32_t count = 0, j = part;
#pragma unroll 4
  for (; j < i; j += lanes_of_item) count += not_after(j) ? 1u : 0u;
  if (j == i) j += lanes_of_item;
#pragma unroll 4
  for (; j < n; j += lanes_of_item) count += before(j) ? 1u : 0u;
  return count;
}

/// Calls pairs(i, part) for each item i of a range in each of its lanes, part < lanes_of_item, which returns
/// the sum over the items j = part, part + lanes_of_item, ...; then end(i, sum over all lanes) in one of them.
template <class Sums, class Team, class Pairs, class End>
__device__ inline void sum_pairs(const Team& team, const item_range& range, Pairs pairs, End end) {
  const std::uint32_t part = team.rank() % lanes_of_item;
  for (std::uint32_t begin = range.from; begin < range.to; begin += team.size() / lanes_of_item) {
    const std::uint32_t i = begin + team.rank() / lanes_of_item;
    Sums sums{};
    if (i < range.to) sums = pairs(i, part);
#pragma unroll
    for (unsigned bit = lanes_of_item / 2; bit > 0; bit /= 2) sums = sums + from_lane_xor(sums, bit);
    if (i < range.to && part == 0) end(i, sums);
  }
  team.sync();
}

template <class S>
[[nodiscard]] __device__ inline S magnitude(S x) {
  return x < S{0} ? -x : x;
}

/// m - (a - b) with one rounding at most where that is near 0, so that its sign is right.
[[nodiscard]] __device__ inline float rest_of(const two_floats& m, float a, float b) {
  const float d = a - b;
  const float back = d - a;
  const float lost = (a - (d - back)) - (b + back);
  return (m.high - d) + (m.low - lost);
}
[[nodiscard]] __device__ inline double rest_of(double m, double a, double b) { return m - (a - b); }

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
