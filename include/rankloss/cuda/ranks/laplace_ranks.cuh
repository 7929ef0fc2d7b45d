// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// laplace_ranks of one list, by two scans of the sorted scores. Those of floats are of state_number<float>,
/// and of doubles where these do not suffice.
struct laplace_ranks_list {
  double temperature, scale, base;  // scale: 1 / temperature
  bool ascending;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(T) +
                                            (sizeof(T) == sizeof(float) ? 3 : 2) * sizeof(double) +
                                            sizeof(std::uint32_t);

  [[nodiscard]] static laplace_ranks_list of(const laplace_ranks& how) {
    return {how.temperature, 1.0 / how.temperature, how.base, how.direction == sort_direction::ascending};
  }

  [[nodiscard]] __device__ double decay(double upper, double lower) const {
    return exp(-scale * (upper - lower));
  }
  /// The rank at position p of n, by how much more is counted below it than above.
  [[nodiscard]] __device__ double rank(std::uint32_t p, double apart, std::uint32_t n) const {
    const double first = ascending ? base + static_cast<double>(n) - 1.0 : base;
    return first + (ascending ? -1.0 : 1.0) * (static_cast<double>(p) + 0.5 * apart);
  }
  [[nodiscard]] __device__ double slope() const { return ascending ? -0.5 * scale : 0.5 * scale; }

  /// Whether two floats hold distances in temperatures.
  [[nodiscard]] __device__ bool floats_hold_distances() const { return temperature <= 1e30; }
  /// Whether they hold ranks: where the mean of these is not small beside what they are counted from, and
  /// where they differ by more than rounding.
  [[nodiscard]] __device__ bool floats_hold_ranks(std::uint32_t n, float first, float last) const {
    const double half = 0.5 * (static_cast<double>(n) - 1.0);
    const double spread = (static_cast<double>(first) - static_cast<double>(last)) * scale;
    return floats_hold_distances() && fabs(base + half) >= 0x1p-8 * half && spread >= 0x1p-10;
  }

  template <class T>
  class result {
    static constexpr bool of_floats = sizeof(T) == sizeof(float);
    using N = state_number<T>;
    template <std::size_t K>
    using numbers = typename decayed_sums<K, N>::numbers;

   public:
    template <class Team, class Score>
    __device__ result(const laplace_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          x_(scratch.take<T>(n)),
          decay_(scratch.take<N>(n)),
          above_(scratch.take<N>(n)),
          weights_(of_floats ? scratch.take<N>(n) : nullptr),
          order_(scratch.take<std::uint32_t>(n)) {
      for_own(team, [&](std::uint32_t i) {
        x_[i] = rankloss::detail::bounded(score(i));
        order_[i] = i;
      });
      sort_falling(team, n, x_, order_);
      team.sync();
      if constexpr (of_floats) {
        const auto between = score_decay<N>::of(on.temperature);
        for_own(team, [&](std::uint32_t p) { decay_[p] = p > 0 ? between(x_[p - 1], x_[p]) : N{}; });
        team.sync();
      } else {
        fill_doubles(team);
      }
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) {
      if constexpr (of_floats) {
        if (in_floats_ && n_ > 1 && on_.floats_hold_ranks(n_, x_[0], x_[n_ - 1])) {
          const auto one = [](std::uint32_t) { return numbers<1>{{number<N>(1.0)}}; };
          scan_weights<1, N>(team, n_, down(), one,
                             [&](std::uint32_t p, const numbers<1>& counted) { above_[p] = counted.of[0]; });
          scan_weights<1, N>(team, n_, up(), one, [&](std::uint32_t p, const numbers<1>& counted) {
            emit(order_[p], on_.rank(p, exact_value(counted.of[0] - above_[p]), n_));
          });
          return;
        }
      }
      values_of_cuts(team, emit);
    }
    /// The same in doubles, as a cut bends by up to 6 per rank.
    template <class Team, class Emit>
    __device__ void values_of_cuts(const Team& team, Emit emit) {
      into_doubles(team);
      double* const above = doubles(above_);
      scans().down().sum_masses(team, one_each{},
                                [&](std::uint32_t p, double counted) { above[p] = counted; });
      scans().up().sum_masses(team, one_each{}, [&](std::uint32_t p, double counted) {
        emit(order_[p], on_.rank(p, counted - above[p], n_));
      });
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) {
      const double slope = on_.slope();
      if constexpr (of_floats) {
        if (in_floats_ && on_.floats_hold_distances() && pull_in_floats(team, c)) {
          for_own(team,
                  [&](std::uint32_t p) { emit(order_[p], slope * static_cast<double>(rounded(above_[p]))); });
          team.sync();
          return;
        }
      }
      into_doubles(team);
      double* const above = doubles(above_);
      const auto of = [&](std::uint32_t p) { return c[order_[p]]; };
      scans().down().sum_moved(team, one_each{}, none_each{}, of,
                               [&](std::uint32_t p, double, double x) { above[p] = x; });
      scans().up().sum_moved(team, one_each{}, none_each{}, of, [&](std::uint32_t p, double, double x) {
        emit(order_[p], slope * (above[p] + x));
      });
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
    [[nodiscard]] static __device__ double* doubles(N* numbers) { return reinterpret_cast<double*>(numbers); }
    template <class Team>
    __device__ void fill_doubles(const Team& team) {
      double* const decay = doubles(decay_);
      for_own(team, [&](std::uint32_t p) {
        decay[p] = p > 0 ? on_.decay(static_cast<double>(x_[p - 1]), static_cast<double>(x_[p])) : 0.0;
      });
      team.sync();
    }
    template <class Team>
    __device__ void into_doubles(const Team& team) {
      if (!in_floats_) return;
      team.sync();
      fill_doubles(team);
      in_floats_ = false;
    }
    [[nodiscard]] __device__ laplace_scans scans() const { return {n_, doubles(decay_)}; }
    [[nodiscard]] __device__ downwards<N> down() const { return {decay_}; }
    [[nodiscard]] __device__ upwards<N> up() const { return {n_, decay_}; }

    /// Fills above_ with sum_j (c_j - c_k) e^-|x_j - x_k|. False where some of these may be wrong: where the
    /// largest is small beside the errors of what they are differences of.
    template <class Team>
    [[nodiscard]] __device__ bool pull_in_floats(const Team& team, const double* c) {
      const auto range = float_range::of(team, n_, c);
      if (!float_range::hold(range.span())) return false;
      const auto centre = static_cast<double>(range.centre());
      for_own(team, [&](std::uint32_t p) { weights_[p] = number<N>(c[order_[p]] - centre); });
      team.sync();
      const auto weights = [&](std::uint32_t p) { return numbers<2>{{number<N>(1.0), weights_[p]}}; };
      float mass = 0.0f, most = 0.0f;
      const auto moved = [&](std::uint32_t p, const numbers<2>& sums) {
        mass = fmaxf(mass, static_cast<float>(leading(sums.of[0])));
        return sums.of[1] - weights_[p] * sums.of[0];
      };
      scan_weights<2, N>(team, n_, down(), weights,
                         [&](std::uint32_t p, const numbers<2>& sums) { above_[p] = moved(p, sums); });
      scan_weights<2, N>(team, n_, up(), weights, [&](std::uint32_t p, const numbers<2>& sums) {
        const N all = above_[p] + moved(p, sums);
        above_[p] = all;
        most = fmaxf(most, fabsf(static_cast<float>(leading(all))));
      });
      return greatest(team, most) >= range.span() * fmaxf(0x1p-9f * greatest(team, mass), 0x1p-50f);
    }

    const laplace_ranks_list& on_;
    std::uint32_t n_;
    bool in_floats_ = of_floats;  // the decays are numbers N
    T* x_;
    N* decay_;    // to a position from the one before
    N* above_;    // scratch; what a pull gives, too
    N* weights_;  // of a pull in floats
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
            emit(list, of.order.item(list, p), on.rank(p, mass - from_above[p], list.size()));
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
