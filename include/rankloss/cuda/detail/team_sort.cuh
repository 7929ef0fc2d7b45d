// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/falling_bits.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/abi.hpp>

#include <cstdint>

/// Sorts by a team: networks. Where keys are sorted with their indices, the comparators of neighbours, up to 256
/// of them, are in the registers of a warp.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A key and its index: elements rise where keys fall, and of equal keys where indices rise.
template <class T, bool short_key = sizeof(T) <= 4>
struct sort_element {
  std::uint64_t both;

  [[nodiscard]] static __device__ sort_element of(T key, std::uint32_t index) {
    return {std::uint64_t{falling_bits<T>::of(key)} << 32 | index};
  }
  /// Comes behind all others.
  [[nodiscard]] static __device__ sort_element last() { return {~std::uint64_t{0}}; }
  [[nodiscard]] __device__ T key() const {
    return falling_bits<T>::number(static_cast<std::uint32_t>(both >> 32));
  }
  [[nodiscard]] __device__ std::uint32_t index() const { return static_cast<std::uint32_t>(both); }
  [[nodiscard]] __device__ bool before(const sort_element& other) const { return both < other.both; }
};
template <class T>
struct sort_element<T, false> {
  std::uint32_t high, low, item;

  [[nodiscard]] static __device__ sort_element of(T key, std::uint32_t index) {
    const std::uint64_t bits = falling_bits<T>::of(key);
    return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint32_t>(bits), index};
  }
  [[nodiscard]] static __device__ sort_element last() { return {~0u, ~0u, ~0u}; }
  [[nodiscard]] __device__ std::uint64_t bits() const { return std::uint64_t{high} << 32 | low; }
  [[nodiscard]] __device__ T key() const { return falling_bits<T>::number(bits()); }
  [[nodiscard]] __device__ std::uint32_t index() const { return item; }
  [[nodiscard]] __device__ bool before(const sort_element& other) const {
    const std::uint64_t own = bits(), others = other.bits();
    return own < others || (own == others && item < other.item);
  }
};

/// The comparator of two elements of a lane: the earlier one comes to the lower position.
template <unsigned E, class X>
__device__ inline void compare_own(X (&x)[E], unsigned j, unsigned other) {
  const bool swaps = x[other].before(x[j]);
  const X least = swaps ? x[other] : x[j];
  x[other] = swaps ? x[j] : x[other];
  x[j] = least;
}
/// The same of elements of two lanes, of which each keeps one.
template <class X>
__device__ inline void keep_of(X& own, const X& other, bool lower) {
  own = other.before(own) == lower ? other : own;
}
/// The steps of a merge of distances up to `from`: within lanes, and between lanes.
template <unsigned E, class X>
__device__ inline void merge_own(X (&x)[E], unsigned from) {
#pragma unroll
  for (unsigned distance = from; distance > 0; distance /= 2)
#pragma unroll
    for (unsigned j = 0; j < E; ++j)
      if ((j & distance) == 0) compare_own(x, j, j + distance);
}
template <unsigned E, class X>
__device__ inline void merge_lanes(unsigned lane, X (&x)[E], unsigned from) {
#pragma unroll 1
  for (unsigned distance = from; distance > 0; distance /= 2)
#pragma unroll
    for (unsigned j = 0; j < E; ++j) keep_of(x[j], from_lane_xor(x[j], distance), (lane & distance) == 0);
}

/// Sorts the elements of a warp, of which lane l has the positions from l E on.
template <unsigned E, class X>
__device__ inline void sort_in_registers(unsigned lane, X (&x)[E]) {
#pragma unroll
  for (unsigned run = 1; run < E; run *= 2) {
    // Two sorted runs side by side, of which the second is met from its end, become a bitonic sequence ...
#pragma unroll
    for (unsigned j = 0; j < E; ++j)
      if ((j & run) == 0) compare_own(x, j, j ^ (2 * run - 1));
    merge_own(x, run / 2);  // ... which is merged.
  }
#pragma unroll 1
  for (unsigned run = 1; run < warp_size; run *= 2) {
    const bool lower = (lane & run) == 0;
#pragma unroll
    for (unsigned j = 0; j < (E + 1) / 2; ++j) {
      const X front = from_lane_xor(x[j], 2 * run - 1), back = from_lane_xor(x[E - 1 - j], 2 * run - 1);
      keep_of(x[j], back, lower);
      if (E > 1) keep_of(x[E - 1 - j], front, lower);
    }
    merge_lanes(lane, x, run / 2);
    merge_own(x, E / 2);
  }
}

/// Keys and indices of some neighbouring positions, which a warp sorts in registers.
template <unsigned E, class T>
struct sort_block {
  static constexpr std::uint32_t size = E * warp_size;

  std::uint32_t n;  ///< those behind are not there
  T* keys;
  std::uint32_t* index;

  __device__ void sort() const {
    sort_element<T> x[E];
    take(x);
    sort_in_registers(lane(), x);
    __syncwarp();  // all have read what all write
#pragma unroll
    for (unsigned j = 0; j < E; ++j) put(lane() * E + j, x[j]);
  }
  /// The steps of a merge whose distances are below `size`; lane l has the positions l, l + 32 and so on.
  __device__ void merge() const {
    sort_element<T> x[E];
    take(x);
    merge_own(x, E / 2);
    merge_lanes(lane(), x, warp_size / 2);
#pragma unroll
    for (unsigned j = 0; j < E; ++j) put(j * warp_size + lane(), x[j]);
  }

 private:
  [[nodiscard]] static __device__ unsigned lane() { return threadIdx.x % warp_size; }
  __device__ void take(sort_element<T> (&x)[E]) const {
#pragma unroll
    for (unsigned j = 0; j < E; ++j) {
      const unsigned p = j * warp_size + lane();
      x[j] = p < n ? sort_element<T>::of(keys[p], index[p]) : sort_element<T>::last();
    }
  }
  __device__ void put(unsigned p, const sort_element<T>& x) const {
    if (p >= n) return;
    keys[p] = x.key();
    index[p] = x.index();
  }
};

/// sort_falling by blocks of E elements a lane.
template <unsigned E, class Team, class T>
__device__ inline void sort_by_blocks(const Team& team, std::uint32_t n, T* keys, std::uint32_t* index) {
  using block = sort_block<E, T>;
  const auto for_blocks = [&](auto body) {
    const std::uint32_t apart = team.size() * E;
    for (std::uint32_t begin = team.rank() / warp_size * block::size; begin < n; begin += apart)
      body(block{n - begin, keys + begin, index + begin});
    team.sync();
  };
  team.sync();
  for_blocks([](const block& of) { of.sort(); });
  if constexpr (!Team::one_warp || E == 8) {
    if (n <= block::size) return;
    const std::uint32_t half = std::uint32_t{1} << (31 - __clz(static_cast<int>(n - 1)));
    const auto compare = [&](std::uint32_t a, std::uint32_t b) {
      if (b >= n) return;
      const T key = keys[a], other = keys[b];
      const std::uint32_t of = index[a], others = index[b];
      if (!(other > key || (other == key && others < of))) return;
      keys[a] = other;
      keys[b] = key;
      index[a] = others;
      index[b] = of;
    };
    // Runs and distances are powers of two: the compiler does not see it, and a remainder takes twenty
    // instructions.
    for (std::uint32_t run = block::size; run <= half; run *= 2) {
      for (std::uint32_t c = team.rank(); c < half; c += team.size()) {
        const std::uint32_t in = c & (run - 1), begin = (c - in) * 2;
        compare(begin + in, begin + 2 * run - 1 - in);
      }
      team.sync();
      for (std::uint32_t distance = run / 2; distance >= block::size; distance /= 2) {
        for (std::uint32_t c = team.rank(); c < half; c += team.size()) {
          const std::uint32_t in = c & (distance - 1), begin = (c - in) * 2;
          compare(begin + in, begin + in + distance);
        }
        team.sync();
      }
      for_blocks([](const block& of) { of.merge(); });
    }
  }
}

/// Sorts n elements by a network: before(a, b) says whether what stands at a is to come before what stands at
/// b, and swap(a, b) exchanges the two. `before` has to be a strict order in which no two elements are equal:
/// then the result is the same as that of every other sort.
///
/// All comparators put the earlier element at the lower index, as if elements that come last stood behind the
/// end. So n need not be a power of two.
template <class Team, class Before, class Swap>
__device__ inline void sort(const Team& team, std::uint32_t n, Before before, Swap swap) {
  team.sync();
  if (n < 2) return;
  const std::uint32_t half = std::uint32_t{1}
                             << (31 - __clz(static_cast<int>(n - 1)));  // comparators of a step
  const auto compare = [&](std::uint32_t a, std::uint32_t b) {
    if (b < n && before(b, a)) swap(a, b);
  };
  // Runs and distances are powers of two: the compiler does not see it, and a remainder takes twenty
  // instructions.
  for (std::uint32_t run = 1; run <= half; run *= 2) {
    // Two sorted runs side by side, of which the second is met from its end, become a bitonic sequence ...
    for (std::uint32_t c = team.rank(); c < half; c += team.size()) {
      const std::uint32_t in = c & (run - 1), begin = (c - in) * 2;
      compare(begin + in, begin + 2 * run - 1 - in);
    }
    team.sync();
    // ... which is merged.
    for (std::uint32_t distance = run / 2; distance > 0; distance /= 2) {
      for (std::uint32_t c = team.rank(); c < half; c += team.size()) {
        const std::uint32_t in = c & (distance - 1), begin = (c - in) * 2;
        compare(begin + in, begin + in + distance);
      }
      team.sync();
    }
  }
}

/// Sorts keys, the greatest first, and with them their indices, of which no two are equal; equal keys by
/// rising index. NaN is not a key. The result is the same as that of every other sort.
///
/// All comparators put the earlier element at the lower index, as if elements that come last stood behind the
/// end. So n need not be a power of two.
template <class Team, class T>
__device__ inline void sort_falling(const Team& team, std::uint32_t n, T* keys, std::uint32_t* index) {
  if (n <= team.size()) return sort_by_blocks<1>(team, n, keys, index);
  if (n <= 2 * team.size()) return sort_by_blocks<2>(team, n, keys, index);
  if (n <= 4 * team.size()) return sort_by_blocks<4>(team, n, keys, index);
  sort_by_blocks<8>(team, n, keys, index);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
