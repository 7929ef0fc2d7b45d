// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
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
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) {
        const std::uint32_t begin = runs_.begin(p), end = runs_.end(p);
        const double first = on_.base + static_cast<double>(on_.ascending ? n_ - end : begin);
        const auto others = static_cast<double>(end - begin - 1);
        emit(runs_.order[p], on_.ties == rank_ties::minimum   ? first
                             : on_.ties == rank_ties::maximum ? first + others
                             : on_.ties == rank_ties::average ? first + 0.5 * others
                                                              : first + static_cast<double>(p - begin));
      }
    }

   private:
    const hard_ranks_list& on_;
    std::uint32_t n_;
    falling_runs runs_;
  };
};

}  // namespace cuda::detail

template <>
struct engine<hard_ranks, cuda::context>
    : cuda::detail::rank_engine<hard_ranks, cuda::detail::hard_ranks_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
