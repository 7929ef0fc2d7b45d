// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/isotonic.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/ranks/projected_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The ranks of the positions [begin, end) of a list of n; the first position has rank n.
[[nodiscard]] __device__ inline double mean_rank(std::uint32_t n, std::uint32_t begin, std::uint32_t end) {
  return static_cast<double>(n) - 0.5 * (static_cast<double>(begin) + static_cast<double>(end) - 1.0);
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
      if (on.entropic) {
        pool_adjacent(team, n, entropic_rank_rule<T>{falling_, on.scale}, blocks_, softmax_, sums_, from);
        for_own(team, [&](std::uint32_t p) {
          const std::uint32_t begin = blocks_.begin[p];
          softmax_[p] = exp(-on.scale * falling_.distance(begin, p)) / blocks_.state[begin];
        });
        team.sync();
      } else {
        pool_adjacent(team, n, quadratic_rank_rule<T>{falling_, on.scale}, blocks_, softmax_, sums_, from);
      }
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = blocks_.begin[p], end = blocks_.end[begin];
        emit(falling_.item(p), on_.entropic ? sum_of_ranks(n_, begin, end) * softmax_[p] + on_.shift
                                            : mean_rank(n_, begin, end) + blocks_.state[begin] + on_.shift -
                                                  falling_.distance(begin, p) * on_.scale);
      });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      // Relative to the first item of each block, of whose sums nothing is lost then.
      const auto from_first = [&](std::uint32_t p) {
        return c[falling_.item(p)] - c[falling_.item(blocks_.begin[p])];
      };
      combine_runs(
          team, n_, [&](std::uint32_t p) { return blocks_.begin[p] == p; }, sums_,
          [&](std::uint32_t p) { return on_.entropic ? softmax_[p] * from_first(p) : from_first(p); },
          [](double a, double b) { return a + b; });
      const double slope = on_.ascending ? on_.scale : -on_.scale;
      for_own(team, [&](std::uint32_t p) {
        const std::uint32_t begin = blocks_.begin[p], end = blocks_.end[begin];
        const double sum = sums_[end - 1];
        emit(falling_.item(p),
             on_.entropic ? slope * sum_of_ranks(n_, begin, end) * softmax_[p] * (from_first(p) - sum)
                          : slope * (from_first(p) - sum / static_cast<double>(end - begin)));
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

    const projected_ranks_list& on_;
    std::uint32_t n_;
    T* x_;
    std::uint32_t* order_;
    pooled_blocks blocks_;
    double *softmax_, *sums_;  // of a block's scores, by position; scratch
    falling_list<T> falling_;
  };
};

}  // namespace cuda::detail

template <>
struct engine<projected_ranks, cuda::context>
    : cuda::detail::rank_engine<projected_ranks, cuda::detail::projected_ranks_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
