// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// laplace_ranks of one list, by two scans of the sorted scores.
struct laplace_ranks_list {
  double scale, base;  // scale: 1 / temperature
  bool ascending;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) + 2 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static laplace_ranks_list of(const laplace_ranks& how) {
    return {1.0 / how.temperature, how.base, how.direction == sort_direction::ascending};
  }

  [[nodiscard]] __device__ double decay(double upper, double lower) const {
    return exp(-scale * (upper - lower));
  }
  /// The rank at position p of n, by what is counted on both sides of it.
  [[nodiscard]] __device__ double rank(std::uint32_t p, double above, double below, std::uint32_t n) const {
    const double first = ascending ? base + static_cast<double>(n) - 1.0 : base;
    return first + (ascending ? -1.0 : 1.0) * (static_cast<double>(p) + 0.5 * (below - above));
  }
  [[nodiscard]] __device__ double slope() const { return ascending ? -0.5 * scale : 0.5 * scale; }

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
        decay_[p] = p > 0 ? on.decay(static_cast<double>(x_[p - 1]), static_cast<double>(x_[p])) : 0.0;
      team.sync();
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      scans().down().sum_masses(team, one_each{},
                                [&](std::uint32_t p, double counted) { above_[p] = counted; });
      scans().up().sum_masses(team, one_each{}, [&](std::uint32_t p, double counted) {
        emit(order_[p], on_.rank(p, above_[p], counted, n_));
      });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      const double slope = on_.slope();
      const auto of = [&](std::uint32_t p) { return c[order_[p]]; };
      scans().down().sum_moved(team, one_each{}, none_each{}, of,
                               [&](std::uint32_t p, double, double x) { above_[p] = x; });
      scans().up().sum_moved(team, one_each{}, none_each{}, of, [&](std::uint32_t p, double, double x) {
        emit(order_[p], slope * (above_[p] + x));
      });
    }

    template <class Team>
    __device__ void unite(const Team& team, double* r) const {
      unite_runs(team, n_, x_, order_, r);
    }

   private:
    [[nodiscard]] __device__ laplace_scans scans() const { return {n_, decay_}; }

    const laplace_ranks_list& on_;
    std::uint32_t n_;
    T* x_;
    double* decay_;  // to a position from the one before
    double* above_;  // scratch
    std::uint32_t* order_;
  };
};

/// The same of long lists, over the grid: the scans by tiles.
template <class T, class R>
struct laplace_ranks_steps {
  score_order<T, R> order;
  double *decay, *above;  ///< [items] as those of `result`
  two_way_scan counted, differences;

  explicit laplace_ranks_steps(tile_arrays& from)
      : order(from),
        decay(from.of_items<double>()),
        above(from.of_items<double>()),
        counted(from),
        differences(from) {}

  template <class Grid>
  void prepare(const Grid& grid, const laplace_ranks_list& on) const {
    sort_by_bounded_score(grid, order);
    grid.tiles("laplace_ranks: fill_decays",
               fill_decays<laplace_ranks_list, score_order<T, R>>{on, order, decay});
    grid.tiles("laplace_ranks: count_tiles", count_tiles{*this});
    grid.lists("laplace_ranks: hand_on", hand_on_both{counted});
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const laplace_ranks_list& on, const Emit& emit) const {
    grid.tiles("laplace_ranks: find_ranks", find_ranks<Emit>{on, *this, emit});
  }
  template <class Grid, class Input, class Emit>
  void pull(const Grid& grid, const laplace_ranks_list& on, const Input& input, const Emit& emit) const {
    grid.tiles("laplace_ranks: sum_differences", sum_differences<Input>{*this, input});
    grid.lists("laplace_ranks: hand_on", hand_on_both{differences});
    grid.tiles("laplace_ranks: pull_scores", pull_scores<Input, Emit>{on, *this, input, emit});
  }

  [[nodiscard]] __device__ laplace_scans scans(const grid_list<T, R>& list) const {
    return {list.size(), decay + list.first};
  }

  struct count_tiles {
    laplace_ranks_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      of.counted.down.leave(team, list, tile, scans.down(tile).mass_of_all(team, one_each{}));
      of.counted.up.leave(team, list, tile, scans.up(tile).mass_of_all(team, one_each{}));
    }
  };

  template <class Emit>
  struct find_ranks {
    laplace_ranks_list on;
    laplace_ranks_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      double* const from_above = of.above + list.first;
      scans.down(tile, of.counted.down.of(list, tile).sum)
          .sum_masses(team, one_each{}, [&](std::uint32_t p, double mass) { from_above[p] = mass; });
      scans.up(tile, of.counted.up.of(list, tile).sum)
          .sum_masses(team, one_each{}, [&](std::uint32_t p, double mass) {
            emit(list, of.order.item(list, p), on.rank(p, from_above[p], mass, list.size()));
          });
    }
  };

  template <class Input>
  struct sum_differences {
    laplace_ranks_steps of;
    Input input;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      const auto c = [&](std::uint32_t p) { return input(list, of.order.item(list, p)); };
      of.differences.down.leave(team, list, tile,
                                scans.down(tile, of.counted.down.of(list, tile).sum)
                                    .moved_of_all(team, one_each{}, none_each{}, c));
      of.differences.up.leave(
          team, list, tile,
          scans.up(tile, of.counted.up.of(list, tile).sum).moved_of_all(team, one_each{}, none_each{}, c));
    }
  };

  template <class Input, class Emit>
  struct pull_scores {
    laplace_ranks_list on;
    laplace_ranks_steps of;
    Input input;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const laplace_scans scans = of.scans(list);
      double* const from_above = of.above + list.first;
      const auto c = [&](std::uint32_t p) { return input(list, of.order.item(list, p)); };
      scans.down(tile, of.counted.down.of(list, tile).sum, of.differences.down.of(list, tile).sum)
          .sum_moved(team, one_each{}, none_each{}, c,
                     [&](std::uint32_t p, double, double x) { from_above[p] = x; });
      scans.up(tile, of.counted.up.of(list, tile).sum, of.differences.up.of(list, tile).sum)
          .sum_moved(team, one_each{}, none_each{}, c, [&](std::uint32_t p, double, double x) {
            emit(list, of.order.item(list, p), on.slope() * (from_above[p] + x));
          });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<laplace_ranks, cuda::context>
    : cuda::detail::rank_engine<laplace_ranks, cuda::detail::laplace_ranks_list,
                                cuda::detail::laplace_ranks_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
