// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/sigmoid_tiles.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/gain.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// What the ranks of some items add to the DCG, to the sum of their slopes, and to that times d(DCG) / d(rank).
struct rank_sums {
  double dcg, mass, moment;

  template <class Team>
  [[nodiscard]] __device__ rank_sums of_all(const Team& team) const {
    return {sum(team, dcg), sum(team, mass), sum(team, moment)};
  }
  [[nodiscard]] __device__ rank_sums with(const rank_sums& other) const {
    return {dcg + other.dcg, mass + other.mass, moment + other.moment};
  }
  /// What is subtracted from all d(DCG) / d(rank), so that fewer digits are lost.
  [[nodiscard]] __device__ double centre() const { return mass > 0.0 ? moment / mass : 0.0; }
};

/// sndcg of long lists, over the grid: gains; gains and scores sorted; ranks and their sums; the pull.
struct sndcg_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  /// What is known of a list.
  struct list_numbers {
    double best;  ///< the ideal DCG
    double centre;
  };

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<T>::type;
    sorted_arrays<key> sorted_gains, scores;
    digit_counts counts;
    sigmoid_tiles<T> sums;
    sigmoid_tiles<T, rankloss::detail::kernel_terms<T>::hessian_count> bend_sums;
    T* gains;   ///< [items] by item
    T* a;       ///< [items] by score, as the next: gains, which become d(DCG) / d(rank)
    T* slopes;  ///< [items]
    T* a2;      ///< [items] d2(DCG) / d(rank)^2
    T* bends;   ///< [items]
    gain_units units;
    double* best;         ///< [tiles] what each adds to the ideal DCG
    rank_sums* found;     ///< [tiles]
    list_numbers* lists;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : sorted_gains(sorted_arrays<key>::of(from, false)),
          scores(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 2)),
          sums(from),
          bend_sums(from, sums.decay, sums.above),
          gains(from.of_items<T>()),
          a(from.of_items<T>()),
          slopes(from.of_items<T>()),
          a2(from.of_items<T>()),
          bends(from.of_items<T>()),
          units(from),
          best(from.of_tiles<double>()),
          found(from.of_tiles<rank_sums>()),
          lists(from.of_lists<list_numbers>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    find_units<T, R>(grid, of.units);
    grid.tiles("sndcg: fill_gains", fill_gains<T, R>{of});
    grid.sort(of.counts, {of.sorted_gains, of.scores});
    grid.tiles("sndcg: sum_exponentials", sum_exponentials<T, R>{of});
    grid.lists("sndcg: sum_ideal", sum_ideal<T, R>{of});
    grid.tiles("sndcg: find_ranks", find_ranks<T, R>{of});
    grid.lists("sndcg: sum_dcg", sum_dcg<T, R>{of});
    if (grid.gradient_wanted()) {
      grid.tiles("sndcg: sum_pulls", sum_pulls<T, R>{of});
      grid.lists("sndcg: hand_on_pulls", hand_on_pulls<T, R>{of});
      grid.tiles("sndcg: pull", pull<T, R>{of});
    }
    if (!grid.hessian_wanted()) return;
    for (const bend_weight of_items : {bend_weight::one, bend_weight::a, bend_weight::a2}) {
      grid.tiles("sndcg: sum_bends", sum_bends<T, R>{of, of_items});
      grid.lists("sndcg: hand_on_bends", hand_on_bends<T, R>{of});
      grid.tiles("sndcg: bend", bend<T, R>{of, of_items});
    }
  }

  /// What items weigh in the sums of a Hessian: 1, then d(DCG) / d(rank), then d2(DCG) / d(rank)^2.
  enum class bend_weight : std::uint64_t { one, a, a2 };

  template <class T, class R>
  struct fill_gains {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const gain_options::units units = of.units.of(list);
      tile.for_own(team, [&](std::uint32_t i) {
        const T g = loss.gains.template gain_of<T>(list.items, i, units);
        of.gains[list.first + i] = g;
        of.sorted_gains.keys[0][list.first + i] = falling_bits<T>::of(g);
        of.scores.keys[0][list.first + i] =
            falling_bits<T>::of(rankloss::detail::bounded(list.items.score(i)));
      });
    }
  };

  /// And what the sorted gains of the tile add to the ideal DCG.
  template <class T, class R>
  struct sum_exponentials {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto* const gains = of.sorted_gains.keys[0] + list.first;
      const auto* const scores = of.scores.keys[0] + list.first;
      const std::uint32_t* const order = of.scores.indices[0] + list.first;
      const key_runs<typename arrays<T, R>::key> runs{gains, list.size()};
      double ideal = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const std::uint32_t first = loss.gains.how == ideal::competition_ranks ? runs.begin(p) : p;
        ideal += loss.gains.ideal_term(falling_bits<T>::number(gains[p]), first, p - first);
        of.a[list.first + p] = of.gains[list.first + order[p]];
      });
      ideal = sum(team, ideal);
      if (team.rank() == 0) of.best[list.tile + tile.index] = ideal;
      const auto onward = of.sums.fill_decays(team, list, tile, loss.temperature, [&](std::uint32_t p) {
        return falling_bits<T>::number(scores[p]);
      });
      of.sums.sum_tile(team, list, tile, onward, [](std::uint32_t) { return number<state_number<T>>(1.0); });
    }
  };

  template <class T, class R>
  struct sum_ideal {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      double own = 0.0;
      for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size()) own += of.best[list.tile + t];
      own = sum(team, own);
      if (team.rank() == 0) of.lists[list.at].best = own;
      of.sums.hand_on(team, list);
    }
  };

  template <class T, class R>
  struct find_ranks {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      T* const a = of.a + list.first + tile.begin;
      T* const slopes = of.slopes + list.first + tile.begin;
      T* const a2 = of.a2 + list.first + tile.begin;
      rank_sums own{0.0, 0.0, 0.0};
      of.sums.sums(list, tile).ranks(team, slopes, [&](std::uint32_t i, const auto& rank, T slope_sum) {
        slopes[i] = slope_sum;
        if (list.sink.hessian_wanted()) a2[i] = loss.curvature_of(a[i], rank);
        loss.add_rank(own, a[i], rank, slope_sum);
      });
      own = own.of_all(team);
      if (team.rank() == 0) of.found[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct sum_dcg {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const auto own = list.combine(team, of.found, rank_sums{0.0, 0.0, 0.0});
      if (team.rank() != 0) return;
      const double best = of.lists[list.at].best;
      of.lists[list.at].centre = own.centre();
      *list.value = best > 0.0 ? 1.0 - own.dcg / best : 0.0;
    }
  };

  template <class T, class R>
  struct sum_pulls {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const T* const a = of.a + list.first;
      using N = state_number<T>;
      const N centre = number<N>(of.lists[list.at].centre);
      of.sums.sum_tile(team, list, tile, of.sums.onward(list, tile),
                       [&](std::uint32_t i) { return number<N>(a[i]) - centre; });
    }
  };

  template <class T, class R>
  struct hand_on_pulls {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.sums.hand_on(team, list);
    }
  };

  template <class T, class R>
  struct pull {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::size_t begin = list.first + tile.begin;
      const std::uint32_t* const order = of.scores.indices[0] + begin;
      const double best = of.lists[list.at].best;
      of.sums.sums(list, tile)
          .pull(team, of.a + begin, of.slopes + begin, of.lists[list.at].centre,
                [&](std::uint32_t i, T pulled) {
                  const double slope = best > 0.0 ? loss.slope(static_cast<double>(pulled), best) : 0.0;
                  list.sink.put(order[i], static_cast<T>(slope));
                });
    }
  };

  template <class T, class R>
  struct sum_bends {
    arrays<T, R> of;
    bend_weight of_items;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const T *const a = of.a + list.first, *const a2 = of.a2 + list.first;
      using N = state_number<T>;
      const N centre = number<N>(of.lists[list.at].centre);
      of.bend_sums.sum_tile(team, list, tile, of.bend_sums.onward(list, tile), [&](std::uint32_t i) {
        return of_items == bend_weight::one ? number<N>(1.0)
               : of_items == bend_weight::a ? number<N>(a[i]) - centre
                                            : number<N>(a2[i]);
      });
    }
  };

  template <class T, class R>
  struct hand_on_bends {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      of.bend_sums.hand_on(team, list);
    }
  };

  template <class T, class R>
  struct bend {
    arrays<T, R> of;
    bend_weight of_items;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::size_t begin = list.first + tile.begin;
      const std::uint32_t* const order = of.scores.indices[0] + begin;
      const double best = of.lists[list.at].best;
      const auto sums = of.bend_sums.sums(list, tile);
      T* const bends = of.bends + begin;
      if (of_items == bend_weight::one)
        sums.sum_curvatures(team, bends);
      else if (of_items == bend_weight::a)
        sums.bend_by(team, of.a + begin, of.lists[list.at].centre, bends);
      else
        sums.add_squares(team, of.a2 + begin, of.slopes + begin, bends, [&](std::uint32_t i, T bent) {
          const double curvature = best > 0.0 ? loss.curvature(static_cast<double>(bent), best) : 0.0;
          list.sink.put_hessian(order[i], held_as<T>(curvature));
        });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
