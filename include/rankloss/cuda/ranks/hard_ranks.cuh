// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/hard_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// hard_ranks of one list, read off the sorted scores. They have no products with a Jacobian.
struct hard_ranks_list {
  double base;
  bool ascending;
  rank_ties ties;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static hard_ranks_list of(const hard_ranks& how) {
    return {how.base, how.direction == sort_direction::ascending, how.ties};
  }

  /// The rank at position p of n, whose score is that of the positions [begin, end).
  [[nodiscard]] __device__ double rank(std::uint32_t p, std::uint32_t begin, std::uint32_t end,
                                       std::uint32_t n) const {
    const double first = base + static_cast<double>(ascending ? n - end : begin);
    const auto others = static_cast<double>(end - begin - 1);
    return ties == rank_ties::minimum   ? first
           : ties == rank_ties::maximum ? first + others
           : ties == rank_ties::average ? first + 0.5 * others
                                        : first + static_cast<double>(p - begin);
  }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const hard_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          runs_(team, n, scratch.take<double>(n), scratch.take<std::uint32_t>(n),
                [&](std::uint32_t i) { return static_cast<double>(rankloss::detail::bounded(score(i))); }) {
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size())
        emit(runs_.order[p], on_.rank(p, runs_.begin(p), runs_.end(p), n_));
    }

   private:
    const hard_ranks_list& on_;
    std::uint32_t n_;
    falling_runs runs_;
  };
};

/// The same of long lists, over the grid.
template <class T, class R>
struct hard_ranks_steps {
  score_order<T, R> order;

  explicit hard_ranks_steps(tile_arrays& from) : order(from) {}

  template <class Grid>
  void prepare(const Grid& grid, const hard_ranks_list&) const {
    sort_by_bounded_score(grid, order);
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const hard_ranks_list& on, const Emit& emit) const {
    grid.tiles("hard_ranks: read_off", read_off<Emit>{on, order, emit});
  }

  template <class Emit>
  struct read_off {
    hard_ranks_list on;
    score_order<T, R> order;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto runs = order.runs(list);
      tile.for_own(team, [&](std::uint32_t p) {
        emit(list, order.item(list, p), on.rank(p, runs.begin(p), runs.end(p), list.size()));
      });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<hard_ranks, cuda::context>
    : cuda::detail::rank_engine<hard_ranks, cuda::detail::hard_ranks_list, cuda::detail::hard_ranks_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
