// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/sigmoid_tiles.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/sigmoid/kernel_terms.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// sigmoid_ranks of one list: pair by pair where it is short, else by scans of the sorted scores.
struct sigmoid_ranks_list {
  double temperature, base;
  bool ascending;

  template <class T>
  static constexpr std::size_t item_bytes = 4 * sizeof(T) + sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static sigmoid_ranks_list of(const sigmoid_ranks& how) {
    return {how.temperature, how.base, how.direction == sort_direction::ascending};
  }

  /// The rank of an item, by the sum of the sigmoid over all pairs of it.
  [[nodiscard]] __device__ double rank(double sum, std::uint32_t n) const {
    return ascending ? base + static_cast<double>(n) - sum : base - 1.0 + sum;
  }
  [[nodiscard]] __device__ double slope() const { return (ascending ? -1.0 : 1.0) / temperature; }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const sigmoid_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          by_pairs_(Team::one_warp && n <= longest_by_pairs<T>),
          x_(scratch.take<T>(n)),
          slopes_(scratch.take<T>(n)),
          above_(scratch.take<T>(n)),
          weights_(scratch.take<T>(n)),
          decay_(scratch.take<state_number<T>>(n)),
          order_(scratch.take<std::uint32_t>(n)) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        x_[i] = rankloss::detail::bounded(score(i));
        order_[i] = i;
      }
      team.sync();
      if (!by_pairs_) sort(team);
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) {
      const auto keep = [&](std::uint32_t p, const auto& rank, T slope) {
        slopes_[p] = slope;
        emit(order_[p], on_.rank(exact_value(rank), n_));
      };
      if (by_pairs_)
        pairs().ranks(team, keep);
      else
        scan_sums<T>(n_, decay_, above_).ranks(team, slopes_, keep);
      has_slopes_ = true;
    }
    /// The same, of which floats are right to some 1e-12 a neighbour: a cut bends by up to 6 per rank. By
    /// scans, as sums over pairs of floats are within 1e-7.
    template <class Team, class Emit>
    __device__ void values_of_cuts(const Team& team, Emit emit) {
      if constexpr (cut_terms == rankloss::detail::kernel_terms<T>::count) {
        values(team, emit);
      } else {
        if (by_pairs_) {
          by_pairs_ = false;
          sort(team);
        }
        scan_sums<T, whole_list, cut_terms>(n_, decay_, above_)
            .ranks_of_cuts(team, slopes_, weights_, [&](std::uint32_t p, const auto& rank, T slope) {
              slopes_[p] = slope;
              emit(order_[p], on_.rank(exact_value(rank), n_));
            });
        has_slopes_ = true;
      }
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) {
      if (!has_slopes_) values(team, [](std::uint32_t, double) {});
      team.sync();
      // In units in which nothing overflows, less their mean by the sums of slopes.
      double most = 0.0, mass = 0.0, moment = 0.0;
      for_own(team, [&](std::uint32_t p) { most = fmax(most, fabs(c[p])); });
      const double unit = unit_of(greatest(team, most));
      for_own(team, [&](std::uint32_t p) {
        mass += static_cast<double>(slopes_[p]);
        moment += static_cast<double>(slopes_[p]) * (c[order_[p]] * unit);
      });
      mass = sum(team, mass);
      moment = sum(team, moment);
      const double centre = mass > 0.0 ? moment / mass : 0.0;
      for_own(team, [&](std::uint32_t p) { weights_[p] = static_cast<T>(c[order_[p]] * unit - centre); });
      team.sync();
      const double slope = on_.slope();
      const auto to_item = [&](std::uint32_t p, T pull) {
        emit(order_[p], slope * static_cast<double>(pull) / unit);
      };
      if (by_pairs_)
        pairs().pull(team, weights_, slopes_, 0.0, to_item);
      else
        scan_sums<T>(n_, decay_, above_).pull(team, weights_, slopes_, 0.0, to_item);
    }

    template <class Team>
    __device__ void unite(const Team& team, double* r) const {
      if (!by_pairs_) unite_runs(team, n_, x_, order_, r);
    }

   private:
    static constexpr std::size_t cut_terms = rankloss::detail::kernel_terms<T>::cut_count;

    template <class Team>
    __device__ void sort(const Team& team) {
      sort_falling(team, n_, x_, order_);
      (void)scan_sums<T>(team, x_, n_, on_.temperature, decay_, above_);
    }
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
    }
    [[nodiscard]] __device__ pair_sums<T> pairs() const { return {x_, n_, on_.temperature}; }

    const sigmoid_ranks_list& on_;
    std::uint32_t n_;
    bool by_pairs_, has_slopes_ = false;
    T* x_;                    // by position, as are slopes and weights; by item where pairs are summed
    T *slopes_, *above_;      // sums of slopes; scratch of the scans
    T* weights_;              // of a pull
    state_number<T>* decay_;  // to a position from the one before
    std::uint32_t* order_;    // the item of a position
  };
};

/// sigmoid_ranks of long lists, over the grid: the scans by tiles.
template <class T, class R>
struct sigmoid_ranks_steps {
  /// The unit of the input of a list, and what is subtracted from it in this unit, so that fewer digits are
  /// lost.
  struct list_numbers {
    double unit, centre;
  };

  static constexpr bool pulls_after_values = true;  // for the sums of slopes

  static constexpr std::size_t terms = rankloss::detail::kernel_terms<T>::count,
                               cut_terms = rankloss::detail::kernel_terms<T>::cut_count;
  struct no_tiles {
    no_tiles(tile_arrays&, state_number<T>*, T*) {}
  };

  score_order<T, R> order;
  sigmoid_tiles<T> sums;
  std::conditional_t<terms == cut_terms, no_tiles, sigmoid_tiles<T, cut_terms>> cut_sums;
  T *slopes, *weights;  ///< [items] by position: sums of slopes; the input, less its centre
  tile_sums mass, moment;
  list_numbers* lists;  ///< [lists]

  explicit sigmoid_ranks_steps(tile_arrays& from)
      : order(from),
        sums(from),
        cut_sums(from, sums.decay, sums.above),
        slopes(from.of_items<T>()),
        weights(from.of_items<T>()),
        mass(from),
        moment(from),
        lists(from.of_lists<list_numbers>()) {}

  template <class Grid>
  void prepare(const Grid& grid, const sigmoid_ranks_list& on) const {
    sort_by_bounded_score(grid, order);
    sum_up<terms>(grid, on);
  }
  template <class Grid, class Emit>
  void values(const Grid& grid, const sigmoid_ranks_list& on, const Emit& emit) const {
    grid.tiles("sigmoid_ranks: find_ranks", find_ranks<Emit>{on, *this, emit});
  }
  /// Both, of ranks at which a cut bends.
  template <class Grid, class Emit>
  void values_of_cuts(const Grid& grid, const sigmoid_ranks_list& on, const Emit& emit) const {
    if constexpr (terms == cut_terms) {
      prepare(grid, on);
      values(grid, on, emit);
    } else {
      sort_by_bounded_score(grid, order);
      sum_up<cut_terms>(grid, on);
      grid.tiles("sigmoid_ranks: find_ranks", find_ranks_of_cuts<Emit>{on, *this, emit});
    }
  }
  template <class Grid, class Input, class Emit>
  void pull(const Grid& grid, const sigmoid_ranks_list& on, const Input& input, const Emit& emit) const {
    grid.tiles("sigmoid_ranks: sum_moments", sum_moments<Input>{*this, input});
    grid.lists("sigmoid_ranks: find_centre", find_centre<Input>{*this, input});
    grid.tiles("sigmoid_ranks: sum_pulls", sum_pulls<Input>{*this, input});
    grid.lists("sigmoid_ranks: hand_on", hand_on<terms>{*this});
    grid.tiles("sigmoid_ranks: pull_scores", pull_scores<Emit>{on, *this, emit});
  }

  /// The sums by so many terms.
  template <std::size_t K>
  [[nodiscard]] RANKLOSS_HOST_DEVICE const auto& sums_by() const {
    if constexpr (K == terms)
      return sums;
    else
      return cut_sums;
  }
  template <std::size_t K, class Grid>
  void sum_up(const Grid& grid, const sigmoid_ranks_list& on) const {
    grid.tiles("sigmoid_ranks: sum_exponentials", sum_exponentials<K>{on, *this});
    grid.lists("sigmoid_ranks: hand_on", hand_on<K>{*this});
  }

  template <std::size_t K>
  struct sum_exponentials {
    sigmoid_ranks_list on;
    sigmoid_ranks_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto& scans = of.template sums_by<K>();
      const auto onward = scans.fill_decays(team, list, tile, on.temperature,
                                            [&](std::uint32_t p) { return of.order.score(list, p); });
      scans.sum_tile(team, list, tile, onward, [](std::uint32_t) { return number<state_number<T>>(1.0); });
    }
  };

  template <std::size_t K>
  struct hand_on {
    sigmoid_ranks_steps of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.template sums_by<K>().hand_on(team, list);
    }
  };

  template <class Emit>
  struct find_ranks {
    sigmoid_ranks_list on;
    sigmoid_ranks_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      T* const own = of.slopes + list.first + tile.begin;
      of.sums.sums(list, tile).ranks(team, own, [&](std::uint32_t i, const auto& rank, T slope) {
        own[i] = slope;
        emit(list, of.order.item(list, tile.begin + i), on.rank(exact_value(rank), list.size()));
      });
    }
  };

  template <class Emit>
  struct find_ranks_of_cuts {
    sigmoid_ranks_list on;
    sigmoid_ranks_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::size_t begin = list.first + tile.begin;
      T* const own = of.slopes + begin;
      of.cut_sums.sums(list, tile)
          .ranks_of_cuts(team, own, of.weights + begin, [&](std::uint32_t i, const auto& rank, T slope) {
            own[i] = slope;
            emit(list, of.order.item(list, tile.begin + i), on.rank(exact_value(rank), list.size()));
          });
    }
  };

  template <class Input>
  struct sum_moments {
    sigmoid_ranks_steps of;
    Input input;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double unit = unit_of(input.largest(list));
      double own_mass = 0.0, own_moment = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const auto slope = static_cast<double>(of.slopes[list.first + p]);
        own_mass += slope;
        own_moment += slope * (input(list, of.order.item(list, p)) * unit);
      });
      of.mass.leave(team, list, tile, own_mass);
      of.moment.leave(team, list, tile, own_moment);
    }
  };

  template <class Input>
  struct find_centre {
    sigmoid_ranks_steps of;
    Input input;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double slopes_sum = of.mass.of(team, list), weighted = of.moment.of(team, list);
      if (team.rank() == 0)
        of.lists[list.at] = {unit_of(input.largest(list)), slopes_sum > 0.0 ? weighted / slopes_sum : 0.0};
    }
  };

  template <class Input>
  struct sum_pulls {
    sigmoid_ranks_steps of;
    Input input;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const list_numbers numbers = of.lists[list.at];
      T* const centred = of.weights + list.first;
      tile.for_own(team, [&](std::uint32_t p) {
        centred[p] = static_cast<T>(input(list, of.order.item(list, p)) * numbers.unit - numbers.centre);
      });
      team.sync();
      of.sums.sum_tile(team, list, tile, of.sums.onward(list, tile),
                       [&](std::uint32_t p) { return number<state_number<T>>(centred[p]); });
    }
  };

  template <class Emit>
  struct pull_scores {
    sigmoid_ranks_list on;
    sigmoid_ranks_steps of;
    Emit emit;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::size_t begin = list.first + tile.begin;
      const double unit = of.lists[list.at].unit, slope = on.slope();
      of.sums.sums(list, tile)
          .pull(team, of.weights + begin, of.slopes + begin, 0.0, [&](std::uint32_t i, T pull) {
            emit(list, of.order.item(list, tile.begin + i), slope * static_cast<double>(pull) / unit);
          });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<sigmoid_ranks, cuda::context>
    : cuda::detail::rank_engine<sigmoid_ranks, cuda::detail::sigmoid_ranks_list,
                                cuda::detail::sigmoid_ranks_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
