// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/isotonic.cuh>
#include <rankloss/cuda/detail/isotonic_tiles.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
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

  [[nodiscard]] __device__ bool scores_fall() const { return !ascending; }
  [[nodiscard]] __device__ double unit() const { return entropic ? 1.0 : 0.25; }
  template <class T, class Body>
  __device__ void with_rule(const falling_list<T>& falling, Body body) const {
    if (entropic)
      body(entropic_value_rule<T>{falling, step});
    else
      body(quadratic_value_rule<T>{falling, step});
  }

  /// The share of a position in its block.
  template <class T>
  [[nodiscard]] __device__ double share(const falling_list<T>& falling, const pooled_blocks& blocks,
                                        std::uint32_t p) const {
    const std::uint32_t begin = blocks.begin[p];
    return entropic ? exp(-falling.distance(begin, p)) / blocks.state[begin]
                    : 1.0 / static_cast<double>(blocks.end[begin] - begin);
  }
  template <class T>
  [[nodiscard]] __device__ double value(const falling_list<T>& falling, const pooled_blocks& blocks,
                                        std::uint32_t p) const {
    const double sign = ascending ? 1.0 : -1.0;
    const std::uint32_t begin = blocks.begin[p], items = blocks.end[begin] - begin;
    const double first = falling.x(begin), state = blocks.state[begin];
    const auto behind = static_cast<double>(p - begin);
    if (entropic) {
      const entropic_value_rule<T> rule{falling, step};
      return first - sign * (log(state * rule.sum_of_z(1) / rule.sum_of_z(items)) - step * behind);
    }
    return 4.0 *
           (0.25 * first + sign * (state + 0.25 * step * (behind - 0.5 * static_cast<double>(items - 1))));
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
          falling_(team, n, on.scores_fall(), on.unit(), score, x_, order_) {
      std::uint32_t* const from = scratch.take<std::uint32_t>(n);
      bool pooled = false;
      if constexpr (std::is_same_v<T, float>)
        if (!on.entropic)
          pooled = pool_by_whole_sums(team, falling_, projected_along::steps, 1.0 / on.step, 0.25 * on.step,
                                      blocks_, sums_, from);
      if (!pooled)
        on.with_rule(falling_, [&](const auto& rule) {
          pool_adjacent(team, 0, n, rule, blocks_, shares_, sums_, from);
        });
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      for_own(team, [&](std::uint32_t p) { emit(p, on_.value(falling_, blocks_, p)); });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      find_shares(team);
      sum_blocks(team, [&](std::uint32_t p) { return c[p]; });
      for_own(team, [&](std::uint32_t p) { emit(falling_.item(p), shares_[p] * of_block(p)); });
      team.sync();
    }
    template <class Team, class Emit>
    __device__ void push(const Team& team, const double* c, Emit emit) const {
      find_shares(team);
      sum_blocks(team, [&](std::uint32_t p) { return shares_[p] * c[falling_.item(p)]; });
      for_own(team, [&](std::uint32_t p) { emit(p, of_block(p)); });
      team.sync();
    }

   private:
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
    }
    template <class Team>
    __device__ void find_shares(const Team& team) const {
      for_own(team, [&](std::uint32_t p) { shares_[p] = on_.share(falling_, blocks_, p); });
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

/// The same of long lists, over the grid.
template <class T, class R>
struct projected_sort_steps {
  isotonic_tiles<T, R> pooled;

  explicit projected_sort_steps(tile_arrays& from) : pooled(from) {}

  template <class Grid>
  void prepare(const Grid& grid, const projected_sort_list& on) const {
    pooled.pool(grid, on);
    grid.tiles("projected_sort: find_shares", find_shares{on, pooled});
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const projected_sort_list& on, const Emit& emit) const {
    grid.tiles("projected_sort: find_values", find_values<Emit>{on, pooled, emit});
  }
  template <class Grid, class Input, class Emit>
  void pull(const Grid& grid, const projected_sort_list& on, const Input& input, const Emit& emit) const {
    pooled.sum_blocks(grid, input);
    grid.tiles("projected_sort: pull_values", pull_values<Emit>{on, pooled, emit});
  }
  template <class Grid, class Input, class Emit>
  void push(const Grid& grid, const projected_sort_list& on, const Input& input, const Emit& emit) const {
    pooled.sum_blocks(grid, shared_out<Input>{on, pooled, input});
    grid.tiles("projected_sort: push_scores", push_scores<Emit>{pooled, emit});
  }

  struct find_shares {
    projected_sort_list on;
    isotonic_tiles<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const falling_list<T> falling = of.falling(on, list);
      const pooled_blocks blocks = of.blocks(list);
      tile.for_own(team, [&](std::uint32_t p) { of.after[list.first + p] = on.share(falling, blocks, p); });
    }
  };

  template <class Emit>
  struct find_values {
    projected_sort_list on;
    isotonic_tiles<T, R> of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const falling_list<T> falling = of.falling(on, list);
      const pooled_blocks blocks = of.blocks(list);
      tile.for_own(team, [&](std::uint32_t p) { emit(list, p, on.value(falling, blocks, p)); });
    }
  };

  template <class Input>
  struct shared_out {
    projected_sort_list on;
    isotonic_tiles<T, R> of;
    Input input;

    [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
      return of.after[list.first + p] * input(list, of.falling(on, list).item(p));
    }
  };

  template <class Emit>
  struct pull_values {
    projected_sort_list on;
    isotonic_tiles<T, R> of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const falling_list<T> falling = of.falling(on, list);
      tile.for_own(team, [&](std::uint32_t p) {
        emit(list, falling.item(p), of.after[list.first + p] * of.sum_of_block(list, p));
      });
    }
  };

  template <class Emit>
  struct push_scores {
    isotonic_tiles<T, R> of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team, [&](std::uint32_t p) { emit(list, p, of.sum_of_block(list, p)); });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<projected_sort, cuda::context>
    : cuda::detail::rank_engine<projected_sort, cuda::detail::projected_sort_list,
                                cuda::detail::projected_sort_steps> {};

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
