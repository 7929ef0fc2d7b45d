// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Sums, for each item of a sorted list, of exp(-|x_k - x_j|^p / temperature) over all items j, as
/// detail/sigmoid/distance_sums.hpp has them: by two scans where p = 1, by a walk over the scores within reach
/// where p = 2. The exponentials of p = 2 are of type T, sums are of doubles.
template <class T>
class distance_sums {
 public:
  /// Sums over all j for item k, with weights w_j, rests r_j and values v_j: of the kernel alone, and of the
  /// kernel times the sign (p = 1) or twice the size (p = 2) of x_k - x_j.
  struct sums {
    double mass = 0.0;   ///< sum_j w_j kernel
    double moved = 0.0;  ///< sum_j (r_j + w_j (v_j - v_k)) kernel
  };

  static constexpr std::size_t item_bytes = 5 * sizeof(double);

  template <class Team>
  __device__ distance_sums(const Team& team, const falling_runs& scores, std::uint32_t n, bool squared,
                           double scale, team_scratch& scratch)
      : scores_(scores), n_(n), squared_(squared), scale_(scale) {
    decay_ = scratch.take<double>(n);
    above_mass_ = scratch.take<double>(n);
    above_moved_ = scratch.take<double>(n);
    below_mass_ = scratch.take<double>(n);
    below_moved_ = scratch.take<double>(n);
    if (!squared)
      for (std::uint32_t p = team.rank(); p < n; p += team.size())
        decay_[p] = p > 0 ? exp(-scale * (scores.keys[p - 1] - scores.keys[p])) : 0.0;
  }

  /// Calls emit(k, sums, sided sums) for each position, from w(j), r(j) and v(j), which all threads read.
  template <class Team, class Weight, class Rest, class Value, class Emit>
  __device__ void for_items(const Team& team, Weight w, Rest r, Value v, Emit emit) const {
    team.sync();
    if (squared_) {
      for (std::uint32_t k = team.rank(); k < n_; k += team.size()) walk(k, w, r, v, emit);
    } else {
      pass(
          team, [](std::uint32_t k) { return k; }, [&](std::uint32_t k) { return decay_[k]; }, w, r, v,
          above_mass_, above_moved_);
      pass(
          team, [n = n_](std::uint32_t k) { return n - 1 - k; },
          [&](std::uint32_t k) { return decay_[n_ - k]; }, w, r, v, below_mass_, below_moved_);
      team.sync();
      for (std::uint32_t k = team.rank(); k < n_; k += team.size()) meet(k, w, r, v, emit);
    }
    team.sync();
  }

 private:
  /// What a stretch makes of the sum that it is handed: decay * sum + own.
  struct passed {
    double decay, own;
  };
  template <class Team>
  [[nodiscard]] static __device__ double handed(const Team& team, const passed& own) {
    return scan(team, own, passed{1.0, 0.0},
                [](const passed& a, const passed& b) {
                  return passed{a.decay * b.decay, fma(b.decay, a.own, b.own)};
                })
        .before.own;
  }

  /// The sums over the items that a scan has passed; at(k) is the k-th item that it meets. Each thread scans a
  /// stretch of neighbours, first without and then with what the threads before it hand on: masses, and then
  /// what depends on them.
  template <class Team, class At, class Decay, class Weight, class Rest, class Value>
  __device__ void pass(const Team& team, At at, Decay decay, Weight w, Rest r, Value v, double* masses,
                       double* moves) const {
    const std::uint32_t size = (n_ + team.size() - 1) / team.size();
    const std::uint32_t begin = team.rank() * size < n_ ? team.rank() * size : n_;
    const std::uint32_t end = begin + size < n_ ? begin + size : n_;
    const auto for_stretch = [&](double mass, double moved, auto body) {
      for (std::uint32_t k = begin; k < end; ++k) {
        if (k > 0) {
          const std::uint32_t from = at(k - 1), to = at(k);
          const double q = decay(k), all = mass + w(from);
          moved = q * (moved + fma(v(from) - v(to), all, r(from)));
          mass = q * all;
        }
        body(k, mass, moved);
      }
    };
    passed own{1.0, 0.0};
    for_stretch(0.0, 0.0, [&](std::uint32_t k, double mass, double) {
      own = {own.decay * (k > 0 ? decay(k) : 0.0), mass};
    });
    const double mass = handed(team, own);
    for_stretch(mass, 0.0, [&](std::uint32_t, double, double moved) { own.own = moved; });
    const double moved = handed(team, own);
    for_stretch(mass, moved, [&](std::uint32_t k, double m, double d) {
      masses[at(k)] = m;
      moves[at(k)] = d;
    });
  }

  /// Equal scores are on neither side: the sided sums are those that the scans have at the ends of the run.
  template <class Weight, class Rest, class Value, class Emit>
  __device__ void meet(std::uint32_t k, Weight w, Rest r, Value v, Emit emit) const {
    const std::uint32_t first = scores_.begin(k), last = scores_.end(k) - 1;
    const auto moved = [&](std::uint32_t from, const double* mass, const double* moves) {
      return fma(v(from) - v(k), mass[from], moves[from]);
    };
    emit(k, sums{w(k) + above_mass_[k] + below_mass_[k], r(k) + above_moved_[k] + below_moved_[k]},
         sums{below_mass_[last] - above_mass_[first],
              moved(last, below_mass_, below_moved_) - moved(first, above_mass_, above_moved_)});
  }

  template <class Weight, class Rest, class Value, class Emit>
  __device__ void walk(std::uint32_t k, Weight w, Rest r, Value v, Emit emit) const {
    const double reach = sizeof(T) == sizeof(float) ? 30.0 : 40.0 + log(static_cast<double>(n_));
    sums all{w(k), r(k)}, sided;
    const auto meets = [&](std::uint32_t j) {
      const double d = scores_.keys[k] - scores_.keys[j];
      const double exponent = d * d * scale_;
      if (!(exponent <= reach)) return false;
      const double e = static_cast<double>(exp_of(static_cast<T>(-exponent)));
      const double mass = e * w(j), moved = e * fma(w(j), v(j) - v(k), r(j));
      all.mass += mass;
      all.moved += moved;
      sided.mass = fma(2.0 * d, mass, sided.mass);
      sided.moved = fma(2.0 * d, moved, sided.moved);
      return true;
    };
    for (std::uint32_t j = k + 1; j < n_ && meets(j); ++j) {
    }
    for (std::uint32_t j = k; j-- > 0 && meets(j);) {
    }
    emit(k, all, sided);
  }

  const falling_runs& scores_;
  std::uint32_t n_;
  bool squared_;
  double scale_;
  double* decay_;  // to a position from the one before
  double *above_mass_, *above_moved_, *below_mass_, *below_moved_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
