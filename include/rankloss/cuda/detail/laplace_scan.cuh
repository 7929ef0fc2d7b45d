// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Sums over the items that a scan along the positions [begin, end) has passed, as the engines of the CPU
/// form them, with weights w_j, rests r_j and values v_j:
///
///     mass   sum_j w_j e^-|x_j - x_k|
///     moved  sum_j (r_j + w_j (v_j - v_k)) e^-|x_j - x_k|
///
/// Each thread scans a stretch of neighbours, from what the threads before it hand on. way.at(k) is the item
/// that is met at position k, and way.decay(k) the exponential of the gap before it, which is not asked for
/// k = 0. The functions w, r, v and emit are of items.
template <class Way>
struct laplace_scan {
  std::uint32_t begin, end;
  Way way;
  double mass = 0.0, moved = 0.0;  ///< of the position before the first

  /// Calls emit(item, mass).
  template <class Team, class Weight, class Emit>
  __device__ void sum_masses(const Team& team, Weight w, Emit emit) const {
    const stretch own = stretch_of(team);
    double sum = mass_before(team, own, w);
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      sum = next_mass(k, sum, w);
      emit(way.at(k), sum);
    }
    team.sync();
  }
  /// Calls emit(item, mass, moved).
  template <class Team, class Weight, class Rest, class Value, class Emit>
  __device__ void sum_moved(const Team& team, Weight w, Rest r, Value v, Emit emit) const {
    const stretch own = stretch_of(team);
    const double from = mass_before(team, own, w);
    const double before = sum_before(team, moved_of(own, from, w, r, v), moved);
    walk(own, from, before, w, r, v, [&](std::uint32_t k, double m, double x) { emit(way.at(k), m, x); });
    team.sync();
  }
  /// What all positions hand on: the decay over them, and what they add to `mass` or `moved` of those behind.
  /// The same for every thread.
  template <class Team, class Weight>
  [[nodiscard]] __device__ decayed_sum mass_of_all(const Team& team, Weight w) const {
    return total(team, mass_of(stretch_of(team), w));
  }
  template <class Team, class Weight, class Rest, class Value>
  [[nodiscard]] __device__ decayed_sum moved_of_all(const Team& team, Weight w, Rest r, Value v) const {
    const stretch own = stretch_of(team);
    return total(team, moved_of(own, mass_before(team, own, w), w, r, v));
  }

 private:
  template <class Team>
  [[nodiscard]] static __device__ decayed_sum total(const Team& team, const decayed_sum& own) {
    return scan(team, own, decayed_sum{1.0, 0.0}, decayed_sum::joined).total;
  }
  /// The sum that the threads before this one hand on, from what each has summed up over its own stretch and
  /// from what is before all of them.
  template <class Team>
  [[nodiscard]] static __device__ double sum_before(const Team& team, const decayed_sum& own, double first) {
    const decayed_sum passed = scan(team, own, decayed_sum{1.0, 0.0}, decayed_sum::joined).before;
    return fma(passed.decay, first, passed.sum);
  }

  template <class Team>
  [[nodiscard]] __device__ stretch stretch_of(const Team& team) const {
    const stretch own = stretch::of(team, end - begin);
    return {begin + own.begin, begin + own.end};
  }
  [[nodiscard]] __device__ double gap(std::uint32_t k) const { return k > 0 ? way.decay(k) : 0.0; }
  template <class Weight>
  [[nodiscard]] __device__ double next_mass(std::uint32_t k, double sum, Weight w) const {
    if (k == 0) return 0.0;
    const double q = way.decay(k);
    return fma(q, sum, q * w(way.at(k - 1)));
  }
  template <class Weight>
  [[nodiscard]] __device__ decayed_sum mass_of(const stretch& own, Weight w) const {
    decayed_sum all{1.0, 0.0};
    for (std::uint32_t k = own.begin; k < own.end; ++k) all = {all.decay * gap(k), next_mass(k, all.sum, w)};
    return all;
  }
  /// `mass` of the item before a stretch.
  template <class Team, class Weight>
  [[nodiscard]] __device__ double mass_before(const Team& team, const stretch& own, Weight w) const {
    return sum_before(team, mass_of(own, w), mass);
  }
  template <class Weight, class Rest, class Value>
  [[nodiscard]] __device__ decayed_sum moved_of(const stretch& own, double from, Weight w, Rest r,
                                                Value v) const {
    decayed_sum all{1.0, 0.0};
    walk(own, from, 0.0, w, r, v, [&](std::uint32_t k, double, double x) { all = {all.decay * gap(k), x}; });
    return all;
  }
  /// Goes along a stretch from the sums of the item before it, and calls emit(k, mass, moved).
  template <class Weight, class Rest, class Value, class Emit>
  __device__ void walk(const stretch& own, double m, double x, Weight w, Rest r, Value v, Emit emit) const {
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      m = next_mass(k, m, w);
      if (k > 0) {
        const std::uint32_t from = way.at(k - 1), to = way.at(k);
        const double q = way.decay(k);
        x = fma(q, x, fma(v(from) - v(to), m, q * r(from)));
      }
      emit(k, m, x);
    }
  }
};

/// The ways along n sorted items; of[p] is the decay to position p from the one before. Upwards a scan meets
/// item n - 1 - k at its position k.
template <class N>
struct downwards {
  const N* of;

  [[nodiscard]] __device__ std::uint32_t at(std::uint32_t k) const { return k; }
  [[nodiscard]] __device__ N decay(std::uint32_t k) const { return of[k]; }
};
template <class N>
struct upwards {
  std::uint32_t n;
  const N* of;

  [[nodiscard]] __device__ std::uint32_t at(std::uint32_t k) const { return n - 1 - k; }
  [[nodiscard]] __device__ N decay(std::uint32_t k) const { return of[n - k]; }
};

/// Sums over the items that a scan of n items has passed, of K weights w_j each:
///
///     sum_j w_j e^-|x_j - x_k|
///
/// In numbers of two floats these are right to some 2^-30. Differences of two such sums have the rounding
/// errors of 2^-44 of both, since what is wrong with a decay is so in either: with values v_j, the sum of w_j
/// v_j less v_k times that of w_j is right to 2^-30 of what laplace_scan adds up.
///
/// Calls emit(item, sums). weights(item) are those of an item, as decayed_sums<K, N>::numbers.
template <std::size_t K, class N, class Team, class Way, class Weights, class Emit>
__device__ inline void scan_weights(const Team& team, std::uint32_t n, const Way& way, Weights weights,
                                    Emit emit) {
  using sums = decayed_sums<K, N>;
  const stretch own = stretch::of(team, n);
  const auto pass = [&](std::uint32_t k, sums& to) {
    if (k > 0) to.pass(way.decay(k), weights(way.at(k - 1)));
  };
  sums all = sums::nothing();
  for (std::uint32_t k = own.begin; k < own.end; ++k) pass(k, all);
  sums passed = scan(team, all, sums::nothing(), sums::joined).before;
  for (std::uint32_t k = own.begin; k < own.end; ++k) {
    pass(k, passed);
    emit(way.at(k), passed.sums);
  }
  team.sync();
}

/// The range of numbers x [n], as floats.
struct float_range {
  float lowest, highest;

  template <class Team, class X>
  [[nodiscard]] static __device__ float_range of(const Team& team, std::uint32_t n, const X* x) {
    float_range own{greatest_number<float>, lowest_number<float>};
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      own.lowest = fminf(own.lowest, static_cast<float>(x[i]));
      own.highest = fmaxf(own.highest, static_cast<float>(x[i]));
    }
    return {least(team, own.lowest), greatest(team, own.highest)};
  }
  [[nodiscard]] __device__ float span() const { return highest - lowest; }
  [[nodiscard]] __device__ float centre() const { return 0.5f * lowest + 0.5f * highest; }
  [[nodiscard]] __device__ float largest() const { return fmaxf(-lowest, highest); }
  /// Whether sums of products with numbers of this size stay within what two floats hold.
  [[nodiscard]] static __device__ bool hold(float size) { return size >= 1e-15f && size <= 1e15f; }
};

/// The scans of n sorted items down and up; of[p] is the decay to position p from the one before.
struct laplace_scans {
  using downwards = detail::downwards<double>;
  using upwards = detail::upwards<double>;

  std::uint32_t n;
  const double* of;

  [[nodiscard]] __device__ laplace_scan<downwards> down() const { return {0, n, {of}}; }
  [[nodiscard]] __device__ laplace_scan<upwards> up() const { return {0, n, {n, of}}; }
  /// Those of the items of a tile.
  [[nodiscard]] __device__ laplace_scan<downwards> down(const grid_tile& tile, double mass = 0.0,
                                                        double moved = 0.0) const {
    return {tile.begin, tile.end, {of}, mass, moved};
  }
  [[nodiscard]] __device__ laplace_scan<upwards> up(const grid_tile& tile, double mass = 0.0,
                                                    double moved = 0.0) const {
    return {n - tile.end, n - tile.begin, {n, of}, mass, moved};
  }
};

/// Weights that are 1, and rests that are 0: of items, by position, or of those of a list.
struct one_each {
  [[nodiscard]] __device__ double operator()(std::uint32_t) const { return 1.0; }
  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>&, std::uint32_t) const {
    return 1.0;
  }
};
struct none_each {
  [[nodiscard]] __device__ double operator()(std::uint32_t) const { return 0.0; }
  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const grid_list<T, R>&, std::uint32_t) const {
    return 0.0;
  }
};

/// A scan by tiles down, and one up.
struct two_way_scan {
  tile_scan<decayed_sum> down, up;

  explicit two_way_scan(tile_arrays& from) : down(from), up(from) {}
};
struct hand_on_both {
  two_way_scan of;

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
    of.down.hand_on(team, list, decayed_sum{1.0, 0.0}, decayed_sum::joined);
    of.up.hand_on(team, list, decayed_sum{1.0, 0.0}, decayed_sum::joined, true);
  }
};

/// The decay to each position from the one before, by on.decay(upper, lower) and a score_order; 0 at the
/// first.
template <class On, class Order>
struct fill_decays {
  On on;
  Order order;
  double* decay;  ///< [items]

  template <class Team, class Compute, class T, class R>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    tile.for_own(team, [&](std::uint32_t p) {
      decay[list.first + p] = p > 0 ? on.decay(static_cast<double>(order.score(list, p - 1)),
                                               static_cast<double>(order.score(list, p)))
                                    : 0.0;
    });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
