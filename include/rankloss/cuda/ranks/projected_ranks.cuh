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
#include <rankloss/ranks/projected_ranks.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The ranks of the positions [begin, end) of a list of n; the first position has rank n.
[[nodiscard]] __device__ inline double mean_rank(std::uint32_t n, std::uint32_t begin, std::uint32_t end) {
  return 0.5 * static_cast<double>((n - begin) + (n - end) + 1);
}
[[nodiscard]] __device__ inline double sum_of_ranks(std::uint32_t n, std::uint32_t begin, std::uint32_t end) {
  return static_cast<double>(end - begin) * mean_rank(n, begin, end);
}

/// The rules of pooling. The state of a block is the mean distance of its items from its first one, or the sum
/// of their exponentials relative to it.
template <class T>
struct quadratic_rank_rule {
  const falling_list<T>& falling;
  double scale;

  [[nodiscard]] __device__ double one() const { return 0.0; }
  [[nodiscard]] __device__ double joined(std::uint32_t a, double s, std::uint32_t b, double t,
                                         std::uint32_t end) const {
    return s + gap(a, s, b, t) * (static_cast<double>(end - b) / static_cast<double>(end - a));
  }
  [[nodiscard]] __device__ bool pools(std::uint32_t a, double s, std::uint32_t b, double t,
                                      std::uint32_t end) const {
    // A block of ranks spans less than 2^32. Distances beyond it are not joined as exactly as gap needs.
    return falling.distance(a, b) * scale < 0x1p33 && gap(a, s, b, t) < 0.5 * static_cast<double>(end - a);
  }

 private:
  /// The distance of the means, which is finite.
  [[nodiscard]] __device__ double gap(std::uint32_t a, double s, std::uint32_t b, double t) const {
    return fmin(falling.distance(a, b) * scale, 0x1p1000) + t - s;
  }
};

template <class T>
struct entropic_rank_rule {
  const falling_list<T>& falling;
  double scale;

  [[nodiscard]] __device__ double one() const { return 1.0; }
  [[nodiscard]] __device__ double joined(std::uint32_t a, double s, std::uint32_t b, double t,
                                         std::uint32_t) const {
    return s + exp(-scale * falling.distance(a, b)) * t;
  }
  [[nodiscard]] __device__ bool pools(std::uint32_t a, double s, std::uint32_t b, double t,
                                      std::uint32_t end) const {
    const std::uint32_t n = falling.size();
    return !(s * sum_of_ranks(n, b, end) >= exp(-scale * falling.distance(a, b)) * t * sum_of_ranks(n, a, b));
  }
};

/// projected_ranks of one list: blocks are found by isotonic regression along the sorted scores; all else is a
/// pass over the items, and a sum over each block.
struct projected_ranks_list {
  double scale, shift;  // 1 / temperature; what is added to ranks from 1 on
  bool ascending, entropic;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) + 4 * sizeof(std::uint32_t) + 3 * sizeof(double);

  [[nodiscard]] static projected_ranks_list of(const projected_ranks& how) {
    return {1.0 / how.temperature, how.base - 1.0, how.direction == sort_direction::ascending,
            how.regularization == regularization::entropic};
  }

  [[nodiscard]] __device__ bool scores_fall() const { return ascending; }
  [[nodiscard]] static __device__ double unit() { return 1.0; }
  template <class T, class Body>
  __device__ void with_rule(const falling_list<T>& falling, Body body) const {
    if (entropic)
      body(entropic_rank_rule<T>{falling, scale});
    else
      body(quadratic_rank_rule<T>{falling, scale});
  }

  /// A list whose blocks are known, by position. `softmax` is the share of each item in its block, of the
  /// entropic form alone.
  template <class T>
  struct projected {
    const projected_ranks_list& on;
    const falling_list<T>& falling;
    const pooled_blocks& blocks;
    const double* softmax;

    [[nodiscard]] __device__ double share(std::uint32_t p) const {
      const std::uint32_t begin = blocks.begin[p];
      return exp(-on.scale * falling.distance(begin, p)) / blocks.state[begin];
    }
    [[nodiscard]] __device__ double rank(std::uint32_t p) const {
      const std::uint32_t n = falling.size(), begin = blocks.begin[p], end = blocks.end[begin];
      return on.entropic ? sum_of_ranks(n, begin, end) * softmax[p] + on.shift
                         : mean_rank(n, begin, end) + blocks.state[begin] + on.shift -
                               falling.distance(begin, p) * on.scale;
    }
    /// Cotangents c(p) relative to the first item of the block, of whose sum nothing is lost then.
    template <class C>
    [[nodiscard]] __device__ double from_first(const C& c, std::uint32_t p) const {
      return c(p) - c(blocks.begin[p]);
    }
    template <class C>
    [[nodiscard]] __device__ double summand(const C& c, std::uint32_t p) const {
      return on.entropic ? softmax[p] * from_first(c, p) : from_first(c, p);
    }
    /// The product with the Jacobian, from the sum over the block.
    template <class C>
    [[nodiscard]] __device__ double pulled(const C& c, std::uint32_t p, double sum) const {
      const std::uint32_t n = falling.size(), begin = blocks.begin[p], end = blocks.end[begin];
      const double slope = on.ascending ? on.scale : -on.scale;
      return on.entropic ? slope * sum_of_ranks(n, begin, end) * softmax[p] * (from_first(c, p) - sum)
                         : slope * (from_first(c, p) - sum / static_cast<double>(end - begin));
    }
  };

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const projected_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          x_(scratch.take<T>(n)),
          order_(scratch.take<std::uint32_t>(n)),
          blocks_{scratch.take<std::uint32_t>(n), scratch.take<std::uint32_t>(n), scratch.take<double>(n)},
          softmax_(scratch.take<double>(n)),
          sums_(scratch.take<double>(n)),
          falling_(team, n, on.ascending, 1.0, score, x_, order_) {
      std::uint32_t* const from = scratch.take<std::uint32_t>(n);
      bool pooled = false;
      if constexpr (std::is_same_v<T, float>)
        if (!on.entropic)
          pooled = pool_by_whole_sums(team, falling_, projected_along::scores, on.scale, 1.0, blocks_, sums_,
                                      from);
      if (!pooled)
        on.with_rule(falling_, [&](const auto& rule) {
          pool_adjacent(team, 0, n, rule, blocks_, softmax_, sums_, from);
        });
      if (on.entropic) for_own(team, [&](std::uint32_t p) { softmax_[p] = all().share(p); });
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      for_own(team, [&](std::uint32_t p) { emit(falling_.item(p), all().rank(p)); });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      const auto by_position = [&](std::uint32_t p) { return c[falling_.item(p)]; };
      combine_runs(
          team, n_, [&](std::uint32_t p) { return blocks_.begin[p] == p; }, sums_,
          [&](std::uint32_t p) { return all().summand(by_position, p); },
          [](double a, double b) { return a + b; });
      for_own(team, [&](std::uint32_t p) {
        emit(falling_.item(p), all().pulled(by_position, p, sums_[blocks_.end[blocks_.begin[p]] - 1]));
      });
      team.sync();
    }

    template <class Team>
    __device__ void unite(const Team& team, double* r) const {
      unite_runs(team, n_, x_, order_, r);
    }

   private:
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
    }

    [[nodiscard]] __device__ projected<T> all() const { return {on_, falling_, blocks_, softmax_}; }

    const projected_ranks_list& on_;
    std::uint32_t n_;
    T* x_;
    std::uint32_t* order_;
    pooled_blocks blocks_;
    double *softmax_, *sums_;  // of a block's scores, by position; scratch
    falling_list<T> falling_;
  };
};

/// The same of long lists, over the grid.
template <class T, class R>
struct projected_ranks_steps {
  isotonic_tiles<T, R> pooled;
  score_order<T, R> order;  ///< that of `pooled`

  explicit projected_ranks_steps(tile_arrays& from) : pooled(from), order(pooled.order) {}

  template <class Grid>
  void prepare(const Grid& grid, const projected_ranks_list& on) const {
    pooled.pool(grid, on);
    if (on.entropic) grid.tiles("projected_ranks: find_shares", find_shares{on, *this});
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const projected_ranks_list& on, const Emit& emit) const {
    grid.tiles("projected_ranks: find_ranks", find_ranks<Emit>{on, *this, emit});
  }
  template <class Grid, class Input, class Emit>
  void pull(const Grid& grid, const projected_ranks_list& on, const Input& input, const Emit& emit) const {
    pooled.sum_blocks(grid, summands<Input>{on, *this, input});
    grid.tiles("projected_ranks: pull_scores", pull_scores<Input, Emit>{on, *this, input, emit});
  }

  /// Calls body with the projected_ranks_list::projected of a list.
  template <class Body>
  __device__ auto with(const projected_ranks_list& on, const grid_list<T, R>& list, Body body) const {
    const falling_list<T> falling = pooled.falling(on, list);
    const pooled_blocks blocks = pooled.blocks(list);
    return body(projected_ranks_list::projected<T>{on, falling, blocks, pooled.after + list.first});
  }

  struct find_shares {
    projected_ranks_list on;
    projected_ranks_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.with(on, list, [&](const auto& all) {
        tile.for_own(team, [&](std::uint32_t p) { of.pooled.after[list.first + p] = all.share(p); });
      });
    }
  };

  template <class Emit>
  struct find_ranks {
    projected_ranks_list on;
    projected_ranks_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.with(on, list, [&](const auto& all) {
        tile.for_own(team, [&](std::uint32_t p) { emit(list, all.falling.item(p), all.rank(p)); });
      });
    }
  };

  template <class Input>
  struct summands {
    projected_ranks_list on;
    projected_ranks_steps of;
    Input input;

    [[nodiscard]] __device__ double operator()(const grid_list<T, R>& list, std::uint32_t p) const {
      return of.with(on, list, [&](const auto& all) {
        return all.summand([&](std::uint32_t q) { return input(list, all.falling.item(q)); }, p);
      });
    }
  };

  template <class Input, class Emit>
  struct pull_scores {
    projected_ranks_list on;
    projected_ranks_steps of;
    Input input;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.with(on, list, [&](const auto& all) {
        const auto c = [&](std::uint32_t q) { return input(list, all.falling.item(q)); };
        tile.for_own(team, [&](std::uint32_t p) {
          emit(list, all.falling.item(p), all.pulled(c, p, of.pooled.sum_of_block(list, p)));
        });
      });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<projected_ranks, cuda::context>
    : cuda::detail::rank_engine<projected_ranks, cuda::detail::projected_ranks_list,
                                cuda::detail::projected_ranks_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
