// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/isotonic.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/sorts/projected_sort.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The rules of pooling; states are those of the rules of projected ranks.
template <class T>
struct quadratic_value_rule {
  const falling_list<T>& falling;  // in quarters of the scores, so that nothing overflows
  double step;

  [[nodiscard]] __device__ double one() const { return 0.0; }
  [[nodiscard]] __device__ double joined(std::uint32_t a, double s, std::uint32_t b, double t,
                                         std::uint32_t end) const {
    return s + gap(a, s, b, t) * (static_cast<double>(end - b) / static_cast<double>(end - a));
  }
  [[nodiscard]] __device__ bool pools(std::uint32_t a, double s, std::uint32_t b, double t,
                                      std::uint32_t end) const {
    return gap(a, s, b, t) > 0.125 * step * static_cast<double>(end - a);
  }

 private:
  [[nodiscard]] __device__ double gap(std::uint32_t a, double s, std::uint32_t b, double t) const {
    return falling.distance(a, b) + t - s;
  }
};

template <class T>
struct entropic_value_rule {
  const falling_list<T>& falling;
  double step;

  /// A sum of exponentials of so many neighbouring z relative to the first, times a constant.
  [[nodiscard]] __device__ double sum_of_z(std::uint32_t items) const {
    return expm1(-step * static_cast<double>(items));
  }
  [[nodiscard]] __device__ double one() const { return 1.0; }
  [[nodiscard]] __device__ double joined(std::uint32_t a, double s, std::uint32_t b, double t,
                                         std::uint32_t) const {
    return s + exp(-falling.distance(a, b)) * t;
  }
  [[nodiscard]] __device__ bool pools(std::uint32_t a, double s, std::uint32_t b, double t,
                                      std::uint32_t end) const {
    const double above = log(t * sum_of_z(b - a) / (s * sum_of_z(end - b)));
    return !(falling.distance(a, b) - step * static_cast<double>(b - a) <= above);
  }
};

/// projected_sort of one list. Values and cotangents are by position, tangents and gradients by item.
struct projected_sort_list {
  double step;  // 1 / temperature
  bool ascending, entropic;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) + 4 * sizeof(std::uint32_t) + 3 * sizeof(double);

  [[nodiscard]] static projected_sort_list of(const projected_sort& how) {
    return {1.0 / how.temperature, how.direction == sort_direction::ascending,
            how.regularization == regularization::entropic};
  }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const projected_sort_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          x_(scratch.take<T>(n)),
          order_(scratch.take<std::uint32_t>(n)),
          blocks_{scratch.take<std::uint32_t>(n), scratch.take<std::uint32_t>(n), scratch.take<double>(n)},
          shares_(scratch.take<double>(n)),
          sums_(scratch.take<double>(n)),
          falling_(team, n, !on.ascending, on.entropic ? 1.0 : 0.25, score, x_, order_) {
      std::uint32_t* const from = scratch.take<std::uint32_t>(n);
      if (on.entropic)
        pool_adjacent(team, n, entropic_value_rule<T>{falling_, on.step}, blocks_, shares_, sums_, from);
      else
        pool_adjacent(team, n, quadratic_value_rule<T>{falling_, on.step}, blocks_, shares_, sums_, from);
      for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = blocks_.begin[p];
        shares_[p] = on.entropic ? exp(-falling_.distance(begin, p)) / blocks_.state[begin]
                                 : 1.0 / static_cast<double>(blocks_.end[begin] - begin);
      });
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      const double sign = on_.ascending ? 1.0 : -1.0;
      const entropic_value_rule<T> rule{falling_, on_.step};
      for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = blocks_.begin[p], items = blocks_.end[begin] - begin;
        const double first = falling_.x(begin), state = blocks_.state[begin];
        const auto behind = static_cast<double>(p - begin);
        if (on_.entropic)
          emit(p, first - sign * (log(state * rule.sum_of_z(1) / rule.sum_of_z(items)) - on_.step * behind));
        else
          emit(p, 4.0 * (0.25 * first +
                         sign * (state + 0.25 * on_.step * (behind - 0.5 * static_cast<double>(items - 1)))));
      });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      sum_blocks(team, [&](std::uint32_t p) { return c[p]; });
      for_own(team, [&](std::uint32_t p) { emit(falling_.item(p), shares_[p] * of_block(p)); });
      team.sync();
    }
    template <class Team, class Emit>
    __device__ void push(const Team& team, const double* c, Emit emit) const {
      sum_blocks(team, [&](std::uint32_t p) { return shares_[p] * c[falling_.item(p)]; });
      for_own(team, [&](std::uint32_t p) { emit(p, of_block(p)); });
      team.sync();
    }

   private:
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
    }
    template <class Team, class X>
    __device__ void sum_blocks(const Team& team, X x) const {
      combine_runs(
          team, n_, [&](std::uint32_t p) { return blocks_.begin[p] == p; }, sums_, x,
          [](double a, double b) { return a + b; });
    }
    [[nodiscard]] __device__ double of_block(std::uint32_t p) const {
      return sums_[blocks_.end[blocks_.begin[p]] - 1];
    }

    const projected_sort_list& on_;
    std::uint32_t n_;
    T* x_;
    std::uint32_t* order_;
    pooled_blocks blocks_;
    double *shares_, *sums_;  // of a position in its block; scratch
    falling_list<T> falling_;
  };
};

}  // namespace cuda::detail

template <>
struct engine<projected_sort, cuda::context>
    : cuda::detail::rank_engine<projected_sort, cuda::detail::projected_sort_list> {};

/// sort_values: queues what computes the soft-sorted scores of lists in the memory of the device, each list for
/// itself, by position; otherwise as `rank`.
template <score T>
void sort_values(const projected_sort& how, const cuda::score_batch<T>& batch,
                 std::type_identity_t<cuda::device_span<T>> values, cuda::context& ctx) {
  cuda::detail::run_over_scores<projected_sort, T>(how, batch, {}, cuda::detail::fault::cotangent,
                                                   {"values", values}, ctx);
}

/// sort_values_pullback: overwrites gradient_k with sum_i cotangent_i d(value_i) / d(s_k), for each list;
/// otherwise as sort_values.
template <score T>
void sort_values_pullback(const projected_sort& how, const cuda::score_batch<T>& batch,
                          std::type_identity_t<cuda::device_span<const T>> cotangent,
                          std::type_identity_t<cuda::device_span<T>> gradient, cuda::context& ctx) {
  rank_pullback(how, batch, cotangent, gradient, ctx);
}

/// sort_values_push: overwrites change_i with sum_k d(value_i) / d(s_k) tangent_k, for each list; otherwise as
/// sort_values.
template <score T>
void sort_values_push(const projected_sort& how, const cuda::score_batch<T>& batch,
                      std::type_identity_t<cuda::device_span<const T>> tangent,
                      std::type_identity_t<cuda::device_span<T>> change, cuda::context& ctx) {
  rank_push(how, batch, tangent, change, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
