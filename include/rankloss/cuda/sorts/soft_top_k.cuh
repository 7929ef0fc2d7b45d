// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/soft_top_k_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/sorts/soft_top_k.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// soft_top_k of long lists, over the grid: the threshold from two scans by tiles.
template <class T, class R>
struct soft_top_k_steps {
  using threshold = soft_top_k_list::threshold;

  score_order<T, R> order;
  double *decay, *upper_sum, *lower_sum;  ///< [items] as those of `result`
  two_way_scan sums;
  std::uint32_t* first;  ///< [tiles] the first position of a tile that lies below the threshold
  tile_sums densities, moments;
  threshold* found;  ///< [lists]
  double* mean;      ///< [lists] of the input by the densities, relative to that of the nearest item

  explicit soft_top_k_steps(tile_arrays& from)
      : order(from),
        decay(from.of_items<double>()),
        upper_sum(from.of_items<double>()),
        lower_sum(from.of_items<double>()),
        sums(from),
        first(from.of_tiles<std::uint32_t>()),
        densities(from),
        moments(from),
        found(from.of_lists<threshold>()),
        mean(from.of_lists<double>()) {}

  template <class Grid>
  void prepare(const Grid& grid, const soft_top_k_list& on) const {
    sort_by_bounded_score(grid, order);
    grid.tiles("soft_top_k: fill_decays", fill_decays<soft_top_k_list, score_order<T, R>>{on, order, decay});
    grid.tiles("soft_top_k: sum_tiles", sum_tiles{*this});
    grid.lists("soft_top_k: hand_on", hand_on_both{sums});
    grid.tiles("soft_top_k: find_sums", find_sums{on, *this});
    grid.lists("soft_top_k: find_threshold", find_threshold{on, *this});
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const soft_top_k_list& on, const Emit& emit) const {
    grid.tiles("soft_top_k: find_values", find_values<Emit>{on, *this, emit});
  }
  template <class Grid, class Input, class Emit>
  void pull(const Grid& grid, const soft_top_k_list& on, const Input& input, const Emit& emit) const {
    grid.tiles("soft_top_k: sum_densities", sum_densities<Input>{on, *this, input});
    grid.lists("soft_top_k: find_mean", find_mean{*this});
    grid.tiles("soft_top_k: pull_scores", pull_scores<Input, Emit>{on, *this, input, emit});
  }

  /// The scores of a tile, downwards and upwards: calls the functions with each position and its sum.
  template <class Team, class Down, class Up>
  __device__ void scan_tile(const Team& team, const grid_list<T, R>& list, const grid_tile& tile,
                            const decayed_sum& above, const decayed_sum& below, Down put_down, Up put_up,
                            decayed_sum (&all)[2]) const {
    const double* const to = decay + list.first;
    all[0] = scan_items(
        team, tile.size(), decayed_sum{1.0, 0.0},
        [&](std::uint32_t k) {
          return decayed_sum{to[tile.begin + k], 1.0};
        },
        decayed_sum::joined, [&](std::uint32_t k, const decayed_sum& x) { put_down(tile.begin + k, x.sum); },
        above);
    all[1] = scan_items(
        team, tile.size(), decayed_sum{1.0, 0.0},
        [&](std::uint32_t k) {
          const std::uint32_t next = tile.end - k;
          return decayed_sum{next < list.size() ? to[next] : 0.0, 1.0};
        },
        decayed_sum::joined, [&](std::uint32_t k, const decayed_sum& x) { put_up(tile.end - 1 - k, x.sum); },
        below);
  }
  [[nodiscard]] __device__ static double score(const grid_list<T, R>& list, std::uint32_t i) {
    return static_cast<double>(rankloss::detail::bounded(list.items.score(i)));
  }

  struct sum_tiles {
    soft_top_k_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      decayed_sum all[2];
      const decayed_sum none{1.0, 0.0};
      const auto nowhere = [](std::uint32_t, double) {};
      of.scan_tile(team, list, tile, none, none, nowhere, nowhere, all);
      of.sums.down.leave(team, list, tile, all[0]);
      of.sums.up.leave(team, list, tile, all[1]);
    }
  };

  struct find_sums {
    soft_top_k_list on;
    soft_top_k_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double *const upper = of.upper_sum + list.first, *const lower = of.lower_sum + list.first;
      decayed_sum all[2];
      of.scan_tile(
          team, list, tile, of.sums.down.of(list, tile), of.sums.up.of(list, tile),
          [&](std::uint32_t p, double sum) { upper[p] = sum; },
          [&](std::uint32_t p, double sum) { lower[p] = sum; }, all);
      team.sync();
      std::uint32_t own = list.size();
      tile.for_own(team, [&](std::uint32_t p) {
        if (on.sum_at(p, upper[p], lower[p]) > on.k && p < own) own = p;
      });
      own = least(team, own);
      if (team.rank() == 0) of.first[list.tile + tile.index] = own;
    }
  };

  struct find_threshold {
    soft_top_k_list on;
    soft_top_k_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      std::uint32_t own = list.size();
      for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size())
        own = of.first[list.tile + t] < own ? of.first[list.tile + t] : own;
      own = least(team, own);
      if (team.rank() != 0) return;
      const auto in = [&](const double* array) {
        return [array, &list](std::uint32_t p) { return array[list.first + p]; };
      };
      of.found[list.at] = threshold::below(
          own, list.size(), on.k,
          [&](std::uint32_t p) { return static_cast<double>(of.order.score(list, p)); },
          [&](std::uint32_t p) { return of.order.item(list, p); }, in(of.upper_sum), in(of.lower_sum),
          in(of.decay));
    }
  };

  template <class Emit>
  struct find_values {
    soft_top_k_list on;
    soft_top_k_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const threshold& b = of.found[list.at];
      tile.for_own(team, [&](std::uint32_t i) {
        const double s = score(list, i);
        emit(list, i,
             on.takes_none_or_all(list.size()) ? (on.k > 0.0 ? 1.0 : 0.0)
                                               : b.value(s, b.relative(s, on.temperature)));
      });
    }
  };

  template <class Input>
  struct sum_densities {
    soft_top_k_list on;
    soft_top_k_steps of;
    Input input;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const threshold& b = of.found[list.at];
      const double nearest = input(list, b.nearest());
      double own_density = 0.0, own_moment = 0.0;
      tile.for_own(team, [&](std::uint32_t i) {
        const double relative = b.relative(score(list, i), on.temperature);
        own_density += relative;
        own_moment = fma(relative, input(list, i) - nearest, own_moment);
      });
      of.densities.leave(team, list, tile, own_density);
      of.moments.leave(team, list, tile, own_moment);
    }
  };

  struct find_mean {
    soft_top_k_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double moment = of.moments.of(team, list), total = of.densities.of(team, list);
      if (team.rank() == 0) of.mean[list.at] = moment / total;
    }
  };

  template <class Input, class Emit>
  struct pull_scores {
    soft_top_k_list on;
    soft_top_k_steps of;
    Input input;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const threshold& b = of.found[list.at];
      const double nearest = input(list, b.nearest()), centre = of.mean[list.at];
      const bool flat = on.takes_none_or_all(list.size());
      tile.for_own(team, [&](std::uint32_t i) {
        emit(list, i,
             flat ? 0.0
                  : b.half() / on.temperature * b.relative(score(list, i), on.temperature) *
                        (input(list, i) - nearest - centre));
      });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<soft_top_k, cuda::context>
    : cuda::detail::rank_engine<soft_top_k, cuda::detail::soft_top_k_list, cuda::detail::soft_top_k_steps> {};

/// top_k: queues what computes the p of lists of scores in the memory of the device, each list for itself;
/// otherwise as `rank`.
template <score T>
void top_k(const soft_top_k& how, const cuda::score_batch<T>& batch,
           std::type_identity_t<cuda::device_span<T>> values, cuda::context& ctx) {
  cuda::detail::run_over_scores<soft_top_k, T>(how, batch, {}, cuda::detail::fault::cotangent,
                                               {"values", values}, ctx);
}

/// top_k_pullback: overwrites gradient_j with sum_i cotangent_i d(p_i) / d(s_j), for each list; otherwise as
/// top_k.
template <score T>
void top_k_pullback(const soft_top_k& how, const cuda::score_batch<T>& batch,
                    std::type_identity_t<cuda::device_span<const T>> cotangent,
                    std::type_identity_t<cuda::device_span<T>> gradient, cuda::context& ctx) {
  rank_pullback(how, batch, cotangent, gradient, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
