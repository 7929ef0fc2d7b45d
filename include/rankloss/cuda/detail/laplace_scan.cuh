// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Sums over the items that a scan along the positions [begin, end) has passed, as the engine of the CPU forms
/// them:
///
///     counted      sum_j e^-|x_j - x_k|
///     differences  sum_j (c_j - c_k) e^-|x_j - x_k|
///
/// Each thread scans a stretch of neighbours, from what the threads before it hand on. decay(k) is the
/// exponential of the gap before position k; it is not asked for k = 0.
template <class Decay>
struct laplace_scan {
  std::uint32_t begin, end;
  Decay decay;
  double counted = 0.0, differences = 0.0;  ///< of the position before the first

  /// Calls emit(k, counted).
  template <class Team, class Emit>
  __device__ void count(const Team& team, Emit emit) const {
    const stretch own = stretch_of(team);
    double sum = handed_on(team, own);
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      sum = next_count(k, sum);
      emit(k, sum);
    }
    team.sync();
  }
  /// Calls emit(k, differences).
  template <class Team, class C, class Emit>
  __device__ void differ(const Team& team, C c, Emit emit) const {
    const stretch own = stretch_of(team);
    const double count_before = handed_on(team, own);
    const double before = sum_before(team, differences_of(own, count_before, c), differences);
    walk(own, count_before, before, c, emit);
    team.sync();
  }
  /// What all positions hand on: the decay over them, and what they add to `counted` or `differences` of those
  /// behind. The same for every thread.
  template <class Team>
  [[nodiscard]] __device__ decayed_sum count_all(const Team& team) const {
    return total(team, count_of(stretch_of(team)));
  }
  template <class Team, class C>
  [[nodiscard]] __device__ decayed_sum differ_all(const Team& team, C c) const {
    const stretch own = stretch_of(team);
    return total(team, differences_of(own, handed_on(team, own), c));
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
  [[nodiscard]] __device__ double gap(std::uint32_t k) const { return k > 0 ? decay(k) : 0.0; }
  [[nodiscard]] __device__ double next_count(std::uint32_t k, double sum) const {
    const double q = gap(k);
    return fma(q, sum, q);
  }
  [[nodiscard]] __device__ decayed_sum count_of(const stretch& own) const {
    decayed_sum all{1.0, 0.0};
    for (std::uint32_t k = own.begin; k < own.end; ++k) all = {all.decay * gap(k), next_count(k, all.sum)};
    return all;
  }
  /// `counted` of the item before a stretch.
  template <class Team>
  [[nodiscard]] __device__ double handed_on(const Team& team, const stretch& own) const {
    return sum_before(team, count_of(own), counted);
  }
  template <class C>
  [[nodiscard]] __device__ decayed_sum differences_of(const stretch& own, double count_before, C c) const {
    decayed_sum all{1.0, 0.0};
    walk(own, count_before, 0.0, c, [&](std::uint32_t k, double x) { all = {all.decay * gap(k), x}; });
    return all;
  }
  /// Goes along a stretch from the sums of the item before it, and calls emit(k, differences).
  template <class C, class Emit>
  __device__ void walk(const stretch& own, double count, double sum, C c, Emit emit) const {
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      count = next_count(k, count);
      if (k > 0) sum = fma(gap(k), sum, (c(k - 1) - c(k)) * count);
      emit(k, sum);
    }
  }
};

/// The scans of n sorted items down and up; decay[p] is that to position p from the one before. Upwards position
/// k is that of n - 1 - k.
struct laplace_scans {
  std::uint32_t n;
  const double* decay;

  struct downwards {
    const double* decay;

    [[nodiscard]] __device__ double operator()(std::uint32_t p) const { return decay[p]; }
  };
  struct upwards {
    std::uint32_t n;
    const double* decay;

    [[nodiscard]] __device__ double operator()(std::uint32_t k) const { return decay[n - k]; }
  };

  [[nodiscard]] __device__ laplace_scan<downwards> down() const { return {0, n, {decay}}; }
  [[nodiscard]] __device__ laplace_scan<upwards> up() const { return {0, n, {n, decay}}; }
  /// Those of the positions of a tile.
  [[nodiscard]] __device__ laplace_scan<downwards> down(const grid_tile& tile, double counted = 0.0,
                                                        double differences = 0.0) const {
    return {tile.begin, tile.end, {decay}, counted, differences};
  }
  [[nodiscard]] __device__ laplace_scan<upwards> up(const grid_tile& tile, double counted = 0.0,
                                                    double differences = 0.0) const {
    return {n - tile.end, n - tile.begin, {n, decay}, counted, differences};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
