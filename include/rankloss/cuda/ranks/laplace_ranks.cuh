// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Sums over the items that a scan along the positions [0, n) has passed, as the engine of the CPU forms them:
///
///     counted      sum_j e^-|x_j - x_k|
///     differences  sum_j (c_j - c_k) e^-|x_j - x_k|
///
/// Each thread scans a stretch of neighbours, from what the threads before it hand on. decay(k) is the
/// exponential of the gap before position k; it is not asked for k = 0.
template <class Decay>
struct laplace_scan {
  std::uint32_t n;
  Decay decay;

  /// Calls emit(k, counted).
  template <class Team, class Emit>
  __device__ void count(const Team& team, Emit emit) const {
    const stretch own = stretch_of(team);
    double counted = handed_on(team, own);
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      counted = next_count(k, counted);
      emit(k, counted);
    }
    team.sync();
  }
  /// Calls emit(k, differences).
  template <class Team, class C, class Emit>
  __device__ void differ(const Team& team, C c, Emit emit) const {
    const stretch own = stretch_of(team);
    const double counted = handed_on(team, own);
    passed all{1.0, 0.0};
    double from_here = 0.0;
    walk(own, counted, from_here, c, [&](std::uint32_t k, double x) { all = {all.decay * gap(k), x}; });
    from_here = sum_before(team, all);
    walk(own, counted, from_here, c, emit);
    team.sync();
  }

 private:
  struct stretch {
    std::uint32_t begin, end;
  };
  struct passed {
    double decay, sum;
  };
  /// The sum that the threads before this one hand on, from what each has summed up over its own stretch.
  template <class Team>
  [[nodiscard]] static __device__ double sum_before(const Team& team, const passed& own) {
    return scan(team, own, passed{1.0, 0.0},
                [](const passed& a, const passed& b) {
                  return passed{a.decay * b.decay, fma(b.decay, a.sum, b.sum)};
                })
        .before.sum;
  }

  template <class Team>
  [[nodiscard]] __device__ stretch stretch_of(const Team& team) const {
    std::uint32_t size = (n + team.size() - 1) / team.size();
    if (size > 2 && size % 2 == 0) ++size;  // odd, so that threads meet different banks of shared memory
    const std::uint32_t begin = team.rank() * size < n ? team.rank() * size : n;
    return {begin, begin + size < n ? begin + size : n};
  }
  [[nodiscard]] __device__ double gap(std::uint32_t k) const { return k > 0 ? decay(k) : 0.0; }
  [[nodiscard]] __device__ double next_count(std::uint32_t k, double counted) const {
    const double q = gap(k);
    return fma(q, counted, q);
  }
  /// `counted` of the item before a stretch.
  template <class Team>
  [[nodiscard]] __device__ double handed_on(const Team& team, const stretch& own) const {
    passed all{1.0, 0.0};
    for (std::uint32_t k = own.begin; k < own.end; ++k) all = {all.decay * gap(k), next_count(k, all.sum)};
    return sum_before(team, all);
  }
  /// Goes along a stretch from the sums of the item before it, and calls emit(k, differences).
  template <class C, class Emit>
  __device__ void walk(const stretch& own, double counted, double differences, C c, Emit emit) const {
    for (std::uint32_t k = own.begin; k < own.end; ++k) {
      counted = next_count(k, counted);
      if (k > 0) differences = fma(gap(k), differences, (c(k - 1) - c(k)) * counted);
      emit(k, differences);
    }
  }
};

/// laplace_ranks of one list, by two scans of the sorted scores.
struct laplace_ranks_list {
  double scale, base;  // scale: 1 / temperature
  bool ascending;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) + 2 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static laplace_ranks_list of(const laplace_ranks& how) {
    return {1.0 / how.temperature, how.base, how.direction == sort_direction::ascending};
  }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const laplace_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          x_(scratch.take<T>(n)),
          decay_(scratch.take<double>(n)),
          above_(scratch.take<double>(n)),
          order_(scratch.take<std::uint32_t>(n)) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        x_[i] = rankloss::detail::bounded(score(i));
        order_[i] = i;
      }
      sort_falling(team, n, x_, order_);
      team.sync();
      for (std::uint32_t p = team.rank(); p < n; p += team.size())
        decay_[p] =
            p > 0 ? exp(-on.scale * (static_cast<double>(x_[p - 1]) - static_cast<double>(x_[p]))) : 0.0;
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      const double sign = on_.ascending ? -1.0 : 1.0;
      const double first = on_.ascending ? on_.base + static_cast<double>(n_) - 1.0 : on_.base;
      down().count(team, [&](std::uint32_t p, double counted) { above_[p] = counted; });
      up().count(team, [&](std::uint32_t k, double counted) {
        const std::uint32_t p = n_ - 1 - k;
        emit(order_[p], first + sign * (static_cast<double>(p) + 0.5 * (counted - above_[p])));
      });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      const double slope = on_.ascending ? -0.5 * on_.scale : 0.5 * on_.scale;
      down().differ(
          team, [&](std::uint32_t p) { return c[order_[p]]; },
          [&](std::uint32_t p, double x) { above_[p] = x; });
      up().differ(
          team, [&](std::uint32_t k) { return c[order_[n_ - 1 - k]]; },
          [&](std::uint32_t k, double x) {
            const std::uint32_t p = n_ - 1 - k;
            emit(order_[p], slope * (above_[p] + x));
          });
    }

    template <class Team>
    __device__ void unite(const Team& team, double* r) const {
      unite_runs(team, n_, x_, order_, r);
    }

   private:
    [[nodiscard]] __device__ auto down() const {
      const auto decay = [own = decay_](std::uint32_t p) { return own[p]; };
      return laplace_scan<decltype(decay)>{n_, decay};
    }
    [[nodiscard]] __device__ auto up() const {
      const auto decay = [own = decay_, n = n_](std::uint32_t k) { return own[n - k]; };
      return laplace_scan<decltype(decay)>{n_, decay};
    }

    const laplace_ranks_list& on_;
    std::uint32_t n_;
    T* x_;
    double* decay_;  // to a position from the one before
    double* above_;  // scratch
    std::uint32_t* order_;
  };
};

}  // namespace cuda::detail

template <>
struct engine<laplace_ranks, cuda::context>
    : cuda::detail::rank_engine<laplace_ranks, cuda::detail::laplace_ranks_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
