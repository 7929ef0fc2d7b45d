// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Sums over all j for item k, with weights w_j, rests r_j and values v_j: of the kernel exp(-|x_k - x_j|^p /
/// temperature) alone, or of the kernel times the sign (p = 1) or twice the size (p = 2) of x_k - x_j.
struct kernel_sums {
  double mass = 0.0;   ///< sum_j w_j kernel
  double moved = 0.0;  ///< sum_j (r_j + w_j (v_j - v_k)) kernel
};

/// What two scans leave of each position, p = 1. Arrays are [n].
struct passed_sums {
  double* decay;  ///< to a position from the one before
  double *above_mass, *above_moved, *below_mass, *below_moved;

  [[nodiscard]] __device__ passed_sums from(std::size_t first) const {
    return {decay + first, above_mass + first, above_moved + first, below_mass + first, below_moved + first};
  }
  [[nodiscard]] static __device__ double decay_between(double scale, double upper, double lower) {
    return exp(-scale * (upper - lower));
  }
  /// Calls emit(sums, sided sums) for item k, whose score is that of the positions [first, last]. Equal
  /// scores are on neither side: the sided sums are those that the scans have at the ends of the run.
  template <class Weight, class Rest, class Value, class Emit>
  __device__ void meet(std::uint32_t k, std::uint32_t first, std::uint32_t last, Weight w, Rest r, Value v,
                       Emit emit) const {
    const auto moved = [&](std::uint32_t from, const double* mass, const double* moves) {
      return fma(v(from) - v(k), mass[from], moves[from]);
    };
    emit(kernel_sums{w(k) + above_mass[k] + below_mass[k], r(k) + above_moved[k] + below_moved[k]},
         kernel_sums{below_mass[last] - above_mass[first],
                     moved(last, below_mass, below_moved) - moved(first, above_mass, above_moved)});
  }
};

/// Calls emit(sums, sided sums) for item k of n sorted ones, p = 2, by a walk over the scores within reach.
/// Exponentials are of type T, sums of doubles. score(k) is a double.
template <class T, class Score, class Weight, class Rest, class Value, class Emit>
__device__ inline void walk_within_reach(std::uint32_t k, std::uint32_t n, double scale, Score score,
                                         Weight w, Rest r, Value v, Emit emit) {
  const double reach = sizeof(T) == sizeof(float) ? 30.0 : 40.0 + log(static_cast<double>(n));
  const double own = score(k), value = v(k);
  kernel_sums all{w(k), r(k)}, sided;
  const auto meets = [&](std::uint32_t j) {
    const double d = own - score(j);
    const double exponent = d * d * scale;
    if (!(exponent <= reach)) return false;
    const double e = static_cast<double>(exp_of(static_cast<T>(-exponent)));
    const double mass = e * w(j), moved = e * fma(w(j), v(j) - value, r(j));
    all.mass += mass;
    all.moved += moved;
    sided.mass = fma(2.0 * d, mass, sided.mass);
    sided.moved = fma(2.0 * d, moved, sided.moved);
    return true;
  };
  for (std::uint32_t j = k + 1; j < n && meets(j); ++j) {
  }
  for (std::uint32_t j = k; j-- > 0 && meets(j);) {
  }
  emit(all, sided);
}

/// The sums of a sorted list, as detail/sigmoid/distance_sums.hpp has them: by two scans where p = 1, by
/// walks where p = 2.
template <class T>
class distance_sums {
 public:
  static constexpr std::size_t item_bytes = 5 * sizeof(double);

  template <class Team>
  __device__ distance_sums(const Team& team, const runs_of<T>& scores, std::uint32_t n, bool squared,
                           double scale, team_scratch& scratch)
      : scores_(scores), n_(n), squared_(squared), scale_(scale) {
    passed_.decay = scratch.take<double>(n);
    passed_.above_mass = scratch.take<double>(n);
    passed_.above_moved = scratch.take<double>(n);
    passed_.below_mass = scratch.take<double>(n);
    passed_.below_moved = scratch.take<double>(n);
    if (!squared)
      for (std::uint32_t p = team.rank(); p < n; p += team.size())
        passed_.decay[p] = p > 0 ? passed_sums::decay_between(scale, static_cast<double>(scores.keys[p - 1]),
                                                              static_cast<double>(scores.keys[p]))
                                 : 0.0;
  }

  /// Calls emit(k, sums, sided sums) for each position, from w(j), r(j) and v(j), which all threads read.
  template <class Team, class Weight, class Rest, class Value, class Emit>
  __device__ void for_items(const Team& team, Weight w, Rest r, Value v, Emit emit) const {
    team.sync();
    if (!squared_) {
      const laplace_scans scans{n_, passed_.decay};
      scans.down().sum_moved(team, w, r, v, [&](std::uint32_t k, double mass, double moved) {
        passed_.above_mass[k] = mass;
        passed_.above_moved[k] = moved;
      });
      scans.up().sum_moved(team, w, r, v, [&](std::uint32_t k, double mass, double moved) {
        passed_.below_mass[k] = mass;
        passed_.below_moved[k] = moved;
      });
    }
    for (std::uint32_t k = team.rank(); k < n_; k += team.size()) {
      const auto put = [&](const kernel_sums& sums, const kernel_sums& sided) { emit(k, sums, sided); };
      if (squared_)
        walk_within_reach<T>(
            k, n_, scale_, [&](std::uint32_t j) { return static_cast<double>(scores_.keys[j]); }, w, r, v,
            put);
      else
        passed_.meet(k, scores_.begin(k), scores_.end(k) - 1, w, r, v, put);
    }
    team.sync();
  }

 private:
  const runs_of<T>& scores_;
  std::uint32_t n_;
  bool squared_;
  double scale_;
  passed_sums passed_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
