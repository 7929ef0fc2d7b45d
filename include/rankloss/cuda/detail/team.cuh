// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Teams: the threads that compute one list together, and what they do together. A team is a warp or a whole
/// block of one dimension and any number of warps; engines are written once, for either.
///
/// What all threads of a team must call, in the same order, is a free function that takes the team first.
/// Each has one fixed order of operations, so its result depends on its arguments and the size of the team
/// alone. All of them return the same bits to every thread, where they return one number.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::greatest_number;
using rankloss::detail::least_normal;
using rankloss::detail::lowest_number;
using rankloss::detail::not_a_number;

inline constexpr unsigned warp_size = 32;
inline constexpr unsigned most_warps = 32;
inline constexpr unsigned all_lanes = 0xffffffffu;
/// Bytes of what a warp hands to the others at once, at most.
inline constexpr unsigned most_bytes = 64;

/// One warp. Several may be in a block.
class warp_team {
 public:
  static constexpr bool one_warp = true;

  [[nodiscard]] __device__ unsigned rank() const { return threadIdx.x % warp_size; }
  [[nodiscard]] __device__ static constexpr unsigned size() { return warp_size; }
  /// What any thread has written before, all threads see after it.
  __device__ void sync() const { __syncwarp(); }
};

/// A whole block.
class block_team {
 public:
  static constexpr bool one_warp = false;

  /// What warps hand to each other, in shared memory.
  struct slots {
    alignas(16) unsigned char bytes[most_warps * most_bytes];
  };

  __device__ explicit block_team(slots& own) : slots_(own) {}

  [[nodiscard]] __device__ unsigned rank() const { return threadIdx.x; }
  [[nodiscard]] __device__ unsigned size() const { return blockDim.x; }
  __device__ void sync() const { __syncthreads(); }

  [[nodiscard]] __device__ unsigned warp() const { return threadIdx.x / warp_size; }
  [[nodiscard]] __device__ unsigned warps() const { return blockDim.x / warp_size; }
  template <class X>
  [[nodiscard]] __device__ X* slot() const {
    static_assert(sizeof(X) <= most_bytes && std::is_trivially_copyable_v<X>);
    return reinterpret_cast<X*>(slots_.bytes);
  }

 private:
  slots& slots_;
};

/// A number and where it stands.
template <class T>
struct placed {
  T number;
  std::uint32_t index;
};

/// Calls `shuffle` for each 32 bits of x.
template <class X, class Shuffle>
[[nodiscard]] __device__ inline X by_words(const X& x, Shuffle shuffle) {
  static_assert(sizeof(X) % 4 == 0 && std::is_trivially_copyable_v<X>);
  struct words {
    std::uint32_t word[sizeof(X) / 4];
  };
  words w = __builtin_bit_cast(words, x);
#pragma unroll
  for (unsigned k = 0; k < sizeof(X) / 4; ++k) w.word[k] = shuffle(w.word[k]);
  return __builtin_bit_cast(X, w);
}
template <class X>
[[nodiscard]] __device__ inline X from_lane_xor(const X& x, unsigned bits) {
  return by_words(x,
                  [bits](std::uint32_t w) { return __shfl_xor_sync(all_lanes, w, static_cast<int>(bits)); });
}
template <class X>
[[nodiscard]] __device__ inline X from_lane(const X& x, unsigned lane) {
  return by_words(x, [lane](std::uint32_t w) { return __shfl_sync(all_lanes, w, static_cast<int>(lane)); });
}
template <class X>
[[nodiscard]] __device__ inline X from_lane_below(const X& x, unsigned distance) {
  return by_words(x, [distance](std::uint32_t w) { return __shfl_up_sync(all_lanes, w, distance); });
}

/// x of all lanes of a warp, combined by a commutative operation.
template <class X, class Combine>
[[nodiscard]] __device__ inline X combine_lanes(X x, Combine combine) {
#pragma unroll
  for (unsigned bit = warp_size / 2; bit > 0; bit /= 2) x = combine(x, from_lane_xor(x, bit));
  return x;
}

/// x of all threads, combined by a commutative operation; `neutral` changes nothing.
template <class Team, class X, class Combine>
[[nodiscard]] __device__ inline X combine_all(const Team& team, X x, X neutral, Combine combine) {
  x = combine_lanes(x, combine);
  if constexpr (!Team::one_warp) {
    X* slot = team.template slot<X>();
    const unsigned lane = team.rank() % warp_size;
    if (lane == 0) slot[team.warp()] = x;
    team.sync();
    x = combine_lanes(lane < team.warps() ? slot[lane] : neutral, combine);
    team.sync();  // the slots may be used again
  }
  return x;
}

template <class Team, class X>
[[nodiscard]] __device__ inline X sum(const Team& team, X x) {
  return combine_all(team, x, X{0}, [](X a, X b) { return a + b; });
}

/// The greatest x; the lowest number of its type where there are none but NaN.
template <class Team, class X>
[[nodiscard]] __device__ inline X greatest(const Team& team, X x) {
  return combine_all(team, x, lowest_number<X>, [](X a, X b) { return a < b ? b : a; });
}
template <class Team, class X>
[[nodiscard]] __device__ inline X least(const Team& team, X x) {
  return combine_all(team, x, greatest_number<X>, [](X a, X b) { return b < a ? b : a; });
}

/// The greatest number and its index; of equal ones that of the least index.
template <class Team, class T>
[[nodiscard]] __device__ inline placed<T> greatest(const Team& team, placed<T> x) {
  return combine_all(team, x, placed<T>{lowest_number<T>, ~std::uint32_t{0}},
                     [](const placed<T>& a, const placed<T>& b) {
                       return a.number < b.number || (a.number == b.number && b.index < a.index) ? b : a;
                     });
}

/// The x of the threads up to this one, combined by an associative operation, which need not be commutative:
/// combine(earlier, later).
template <class X>
struct scanned {
  X before;  ///< of all threads of lower rank
  X up_to;   ///< and of this one
  X total;   ///< of all threads
};
template <class Team, class X, class Combine>
[[nodiscard]] __device__ inline scanned<X> scan(const Team& team, const X& x, const X& neutral,
                                                Combine combine) {
  const unsigned lane = team.rank() % warp_size;
  const auto scan_lanes = [&](X& y) {
#pragma unroll
    for (unsigned distance = 1; distance < warp_size; distance *= 2) {
      const X below = from_lane_below(y, distance);
      if (lane >= distance) y = combine(below, y);
    }
  };
  X up_to = x;
  scan_lanes(up_to);
  X before = from_lane_below(up_to, 1);
  if (lane == 0) before = neutral;
  if constexpr (Team::one_warp) {
    return {before, up_to, from_lane(up_to, warp_size - 1)};
  } else {
    X* slot = team.template slot<X>();
    if (lane == warp_size - 1) slot[team.warp()] = up_to;
    team.sync();
    X warps = lane < team.warps() ? slot[lane] : neutral;
    team.sync();  // the slots may be used again
    scan_lanes(warps);
    const X total = from_lane(warps, warp_size - 1);
    if (team.warp() == 0) return {before, up_to, total};
    const X earlier = from_lane(warps, team.warp() - 1);
    return {combine(earlier, before), combine(earlier, up_to), total};
  }
}

/// Replaces item k < n by the combination of the items [0, k], where item(k) reads and put(k, x) writes;
/// returns that of all. Every thread reads and writes items of its own. `before` is combined with all of them
/// from the left.
template <class Team, class X, class Item, class Combine, class Put>
__device__ inline X scan_items(const Team& team, std::uint32_t n, X neutral, Item item, Combine combine,
                               Put put, const X& before) {
  X carry = before;
  for (std::uint32_t begin = 0; begin < n; begin += team.size()) {
    const std::uint32_t k = begin + team.rank();
    const scanned<X> of = scan(team, k < n ? item(k) : neutral, neutral, combine);
    if (k < n) put(k, combine(carry, of.up_to));
    carry = combine(carry, of.total);
  }
  return carry;
}

template <class Team, class X, class Item, class Combine, class Put>
__device__ inline X scan_items(const Team& team, std::uint32_t n, X neutral, Item item, Combine combine,
                               Put put) {
  return scan_items(team, n, neutral, item, combine, put, neutral);
}

/// Writes the numbers below n for which keep(i) holds to `kept`, in their order, and returns how many there are.
template <class Team, class Keep>
__device__ inline std::uint32_t keep_if(const Team& team, std::uint32_t n, std::uint32_t* kept, Keep keep) {
  std::uint32_t count = 0;
  for (std::uint32_t begin = 0; begin < n; begin += team.size()) {
    const std::uint32_t i = begin + team.rank();
    const bool own = i < n && keep(i);
    const auto position = scan(team, own ? std::uint32_t{1} : 0, std::uint32_t{0},
                               [](std::uint32_t a, std::uint32_t b) { return a + b; });
    if (own) kept[count + position.before] = i;
    count += position.total;
  }
  team.sync();
  return count;
}

/// The first place for an X in memory that is aligned to 8.
template <class X>
[[nodiscard]] __device__ inline X* aligned(void* memory) {
  if constexpr (alignof(X) > 8) {
    constexpr std::uintptr_t bits = alignof(X) - 1;
    const auto at = reinterpret_cast<std::uintptr_t>(memory);
    memory = static_cast<unsigned char*>(memory) + ((bits + 1 - (at & bits)) & bits);
  }
  return static_cast<X*>(memory);
}

/// Scratch of one list, the same for all threads of its team: arrays are taken one behind the other.
class team_scratch {
 public:
  __device__ explicit team_scratch(unsigned char* memory) : memory_(memory) {}

  /// Uninitialised memory for n elements.
  template <class X>
  [[nodiscard]] __device__ X* take(std::size_t n) {
    static_assert(std::is_trivially_copyable_v<X>);
    X* taken = aligned<X>(memory_);
    memory_ = reinterpret_cast<unsigned char*>(taken) + (n * sizeof(X) + 7) / 8 * 8;
    return taken;
  }

 private:
  unsigned char* memory_;  // aligned to 8
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
