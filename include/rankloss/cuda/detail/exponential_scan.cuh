// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstddef>
#include <cstdint>
#include <utility>

/// Scans of sums of exponentials over sorted scores by a team (docs/algorithms/sigmoid_sums.md): each thread
/// scans a stretch of neighbours, and all states of the threads before it are handed on to it together.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The states of a scan: sum_j w_j exp(-k (distance to j)), k = 1..K, over the items that it has passed.
template <std::size_t K, class N = double>
struct exponential_states {
  N s[K]{};

  /// One step to the next item, with the decay q to it.
  __device__ void advance(const N& q, const N& weight) {
    N power = q;
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) {
      s[k] = power * (s[k] + weight);
      power = power * q;
    }
  }
  /// sum_k c_k S_k, k up to `terms`. Two sums over neighbouring terms, whose signs alternate, so that each
  /// stays small.
  template <class Kernel, std::size_t terms = K>
  [[nodiscard]] __device__ N dot() const {
    static_assert(terms <= K && terms % 2 == 0);
    return part<Kernel, 0>(std::make_index_sequence<terms / 2>{}) +
           part<Kernel, terms / 2>(std::make_index_sequence<terms / 2>{});
  }

 private:
  template <class Kernel, std::size_t first, std::size_t... k>
  [[nodiscard]] __device__ N part(std::index_sequence<k...>) const {
    N sum{};
    ((sum = multiply_add(number<N>(Kernel::template term<first + sizeof...(k) - 1 - k>),
                         s[first + sizeof...(k) - 1 - k], sum)),
     ...);
    return sum;
  }
};

/// What a part of a scan hands on: its states behind its last position, and the decay from its beginning to
/// there, by which states from before it are multiplied.
template <std::size_t K, class N = double>
struct scan_part {
  N decay;
  exponential_states<K, N> states;

  [[nodiscard]] static __device__ scan_part nothing() { return {number<N>(1.0), {}}; }
  /// The states of this part, behind what another one hands on to it.
  __device__ void go_on_from(const scan_part& earlier) {
    N power = decay;
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) {
      states.s[k] = multiply_add(power, earlier.states.s[k], states.s[k]);
      power = power * decay;
    }
    decay = decay * earlier.decay;
  }
};
/// The same of one state.
struct decayed_sum {
  double decay, sum;

  [[nodiscard]] static __device__ decayed_sum joined(const decayed_sum& a, const decayed_sum& b) {
    return {a.decay * b.decay, fma(b.decay, a.sum, b.sum)};
  }
};
/// The same of K states that decay alike.
template <std::size_t K, class N>
struct decayed_sums {
  struct numbers {
    N of[K];
  };
  N decay;
  numbers sums;

  [[nodiscard]] static __device__ decayed_sums nothing() { return {number<N>(1.0), {}}; }
  /// One step to the next item, with the decay q to it.
  __device__ void pass(const N& q, const numbers& weights) {
    decay = decay * q;
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) sums.of[k] = q * (sums.of[k] + weights.of[k]);
  }
  [[nodiscard]] static __device__ decayed_sums joined(const decayed_sums& a, const decayed_sums& b) {
    decayed_sums both{a.decay * b.decay, {}};
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) both.sums.of[k] = multiply_add(b.decay, a.sums.of[k], b.sums.of[k]);
    return both;
  }
};

/// The states at the beginning of what a team scans: none, or those that another part hands on.
struct nothing_before {
  template <std::size_t K, class N>
  __device__ void hand_on(scan_part<K, N>&) const {}
};
template <std::size_t K, class N = double>
struct states_before {
  const exponential_states<K, N>* states;

  __device__ void hand_on(scan_part<K, N>& to) const { to.go_on_from({N{}, *states}); }
};

/// The parts of the lanes of a warp: each one's becomes that of all lanes up to it.
template <std::size_t K, class N>
__device__ inline void join_lanes(unsigned lane, scan_part<K, N>& part) {
#pragma unroll
  for (unsigned distance = 1; distance < warp_size; distance *= 2) {
    const bool joins = lane >= distance;
    const N decay = joins ? part.decay : N{};  // 0: what comes from this lane itself is nothing
    N power = decay;
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) {
      part.states.s[k] = multiply_add(power, from_lane_below(part.states.s[k], distance), part.states.s[k]);
      power = power * decay;
    }
    const N earlier = from_lane_below(part.decay, distance);
    if (joins) part.decay = part.decay * earlier;
  }
}
/// Joins the parts of the first `count` warps of a block, from that of each lane and those before it in its
/// warp: calls take(k, state k of the joined part) for each state, and returns its decay. States pass through
/// the slots of the team, so many at once as these hold.
template <std::size_t first = 0, std::size_t K, class N, class Take>
__device__ inline N join_warps(const block_team& team, const scan_part<K, N>& up_to, unsigned count,
                               Take take) {
  constexpr std::size_t held = most_bytes / sizeof(N) - 1, at_once = K - first < held ? K - first : held;
  struct slice {
    N decay, s[held];
  };
  slice* const slot = team.template slot<slice>();
  if (team.rank() % warp_size == warp_size - 1) {
    slice& own = slot[team.warp()];
    own.decay = up_to.decay;
#pragma unroll
    for (std::size_t j = 0; j < at_once; ++j) own.s[j] = up_to.states.s[first + j];
  }
  team.sync();
  N decay = number<N>(1.0), states[at_once];
#pragma unroll
  for (std::size_t j = 0; j < at_once; ++j) states[j] = N{};
  for (unsigned w = 0; w < count; ++w) {
    const N step = slot[w].decay;
    N power = step;
#pragma unroll
    for (std::size_t k = 1; k <= first; ++k) power = power * step;
#pragma unroll
    for (std::size_t j = 0; j < at_once; ++j) {
      states[j] = multiply_add(power, states[j], slot[w].s[j]);
      power = power * step;
    }
    decay = decay * step;
  }
  team.sync();  // the slots may be used again
#pragma unroll
  for (std::size_t j = 0; j < at_once; ++j) take(first + j, states[j]);
  if constexpr (first + at_once < K) (void)join_warps<first + at_once>(team, up_to, count, take);
  return decay;
}
/// Goes on from the warps before that of the thread. It is called, not copied to each of the many scans of a
/// kernel, which would take more registers than leave room for a second block.
template <std::size_t K, class N>
__device__ __noinline__ void go_on_from_warps(const block_team& team, const scan_part<K, N>& own,
                                              scan_part<K, N>& before) {
  N power = before.decay;
  const N earlier = join_warps(team, own, team.warp(), [&](std::size_t k, const N& state) {
    before.states.s[k] = multiply_add(power, state, before.states.s[k]);
    power = power * before.decay;
  });
  before.decay = before.decay * earlier;
}
/// What the threads before each one hand on to it. `own` is what each thread hands on.
template <class Team, std::size_t K, class N>
[[nodiscard]] __device__ inline scan_part<K, N> part_before(const Team& team, scan_part<K, N> own) {
  const unsigned lane = team.rank() % warp_size;
  join_lanes(lane, own);
  scan_part<K, N> before = from_lane_below(own, 1);
  if (lane == 0) before = scan_part<K, N>::nothing();
  if constexpr (!Team::one_warp) go_on_from_warps(team, own, before);
  return before;
}
/// What all threads hand on together; the same for each of them.
template <class Team, std::size_t K, class N>
[[nodiscard]] __device__ inline scan_part<K, N> part_of_all(const Team& team, scan_part<K, N> own) {
  join_lanes(team.rank() % warp_size, own);
  if constexpr (Team::one_warp) {
    return from_lane(own, warp_size - 1);
  } else {
    scan_part<K, N> all = scan_part<K, N>::nothing();
    all.decay =
        join_warps(team, own, team.warps(), [&](std::size_t k, const N& state) { all.states.s[k] = state; });
    return all;
  }
}

/// The positions that a thread scans, which are neighbours.
struct stretch {
  std::uint32_t begin, end;

  template <class Team>
  [[nodiscard]] static __device__ stretch of(const Team& team, std::uint32_t n) {
    std::uint32_t size = (n + team.size() - 1) / team.size();
    if (size > 2 && size % 2 == 0) ++size;  // odd, so that threads meet different banks of shared memory
    const std::uint32_t begin = team.rank() * size < n ? team.rank() * size : n;
    return {begin, begin + size < n ? begin + size : n};
  }
};

/// pass(p, states) leads states from position p to the next one, and returns the decay of that step.
template <std::size_t K, class N, class Pass>
[[nodiscard]] __device__ inline scan_part<K, N> pass_stretch(const stretch& positions, Pass pass) {
  scan_part<K, N> own = scan_part<K, N>::nothing();
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) own.decay = own.decay * pass(p, own.states);
  return own;
}

/// Scans the positions [0, n) by `pass`: each thread a stretch, whose states at the beginning are what the
/// threads before it hand on. Calls emit(p, states) with the states of all positions before p.
template <std::size_t K, class N, class Team, class Pass, class Emit, class Before>
__device__ inline void scan_passes(const Team& team, std::uint32_t n, Pass pass, Emit emit, Before before) {
  const stretch positions = stretch::of(team, n);
  scan_part<K, N> passed = part_before(team, pass_stretch<K, N>(positions, pass));
  before.hand_on(passed);
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) {
    emit(p, passed.states);
    if (p + 1 < positions.end) pass(p, passed.states);
  }
  team.sync();
}

/// Scans the positions [0, n).
/// @param decay   decay(p): the decay from position p to p + 1; not called for the last
/// @param weight  weight(p)
template <std::size_t K, class N = double, class Team, class Decay, class Weight, class Emit,
          class Before = nothing_before>
__device__ inline void scan_states(const Team& team, std::uint32_t n, Decay decay, Weight weight, Emit emit,
                                   Before before = {}) {
  scan_passes<K, N>(
      team, n,
      [&](std::uint32_t p, exponential_states<K, N>& states) {
        const N q = p + 1 < n ? decay(p) : N{};
        states.advance(q, weight(p));
        return q;
      },
      emit, before);
}

/// What the positions [0, n) hand on; decay(n - 1) is the decay to what follows them. The same for every
/// thread.
template <std::size_t K, class N = double, class Team, class Decay, class Weight>
[[nodiscard]] __device__ inline scan_part<K, N> part_of(const Team& team, std::uint32_t n, Decay decay,
                                                        Weight weight) {
  return part_of_all(
      team, pass_stretch<K, N>(stretch::of(team, n), [&](std::uint32_t p, exponential_states<K, N>& states) {
        const N q = decay(p);
        states.advance(q, weight(p));
        return q;
      }));
}

/// Scans n parts. Calls emit(p, states) with the states that are handed on to part p.
template <std::size_t K, class N = double, class Team, class Part, class Emit>
__device__ inline void scan_parts(const Team& team, std::uint32_t n, Part part, Emit emit) {
  scan_passes<K, N>(
      team, n,
      [&](std::uint32_t p, exponential_states<K, N>& states) {
        const scan_part<K, N>& of = part(p);
        N power = of.decay;
#pragma unroll
        for (std::size_t k = 0; k < K; ++k) {
          states.s[k] = multiply_add(power, states.s[k], of.states.s[k]);
          power = power * of.decay;
        }
        return of.decay;
      },
      emit, nothing_before{});
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
