// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/sigmoid_tiles.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/sndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Lists of up to so many items are computed pair by pair, others by scans over sorted scores.
inline constexpr std::uint32_t longest_by_pairs = 32;

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

/// sndcg of one list.
struct sndcg_list {
  double temperature;
  gain_options gains;

  template <class T>
  static constexpr std::size_t item_bytes = 5 * sizeof(T) + sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static sndcg_list of(const sndcg& loss) {
    return {loss.temperature, gain_options::of(loss.gain, loss.gain_table, loss.ideal, loss.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    T* const x = scratch.take<T>(n);
    T* const g = scratch.take<T>(n);  // gains by item, which become derivatives by the ranks
    T* const slopes = scratch.take<T>(n);
    gains.fill(team, items, g);
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      x[i] = rankloss::detail::bounded(items.score(i));
    if constexpr (Team::one_warp)
      if (n <= longest_by_pairs) {
        const double best = gains.ideal_dcg(team, g, n);
        if (!(best > 0.0)) return nothing(team, n, sink);
        team.sync();
        const pair_sums<T> sums(x, n, temperature);
        return differentiate(
            team, n, best, g, slopes, sink, [&](auto emit) { sums.ranks(team, emit); }, sums,
            [](std::uint32_t i) { return i; });
      }
    T* const by_score = scratch.take<T>(n);
    T* const above = scratch.take<T>(n);
    double* const decay = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const auto number = [&](T* keys, const T* from) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        keys[i] = from[i];
        order[i] = i;
      }
    };
    number(above, g);
    sort_falling(team, n, above, order);
    const double best = gains.ideal_dcg_of_sorted(team, above, n, order);
    if (!(best > 0.0)) return nothing(team, n, sink);
    team.sync();
    number(x, x);
    sort_falling(team, n, x, order);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) by_score[i] = g[order[i]];
    const scan_sums<T> sums(team, x, n, temperature, decay, above);
    return differentiate(
        team, n, best, by_score, slopes, sink, [&](auto emit) { sums.ranks(team, slopes, emit); }, sums,
        [&](std::uint32_t i) { return order[i]; });
  }

  /// Adds an item of this rank to `sums`; `a` is its gain and becomes d(DCG) / d(rank).
  template <class T>
  __device__ void add_rank(rank_sums& sums, T& a, T rank, T slope_sum) const {
    const T argument = T{1} + rank;
    const T logarithm = log_of(argument);
    T value = a * static_cast<T>(0.6931471805599453) / logarithm;
    T slope = -value / (logarithm * argument);
    if (gains.cutoff > 0) {
      const auto cut = rankloss::detail::smooth_cut(rank, static_cast<double>(gains.cutoff));
      slope = slope * cut.value + value * cut.slope;
      value *= cut.value;
    }
    a = slope;
    sums.dcg += static_cast<double>(value);
    sums.mass += static_cast<double>(slope_sum);
    sums.moment += static_cast<double>(slope_sum) * static_cast<double>(slope);
  }
  /// What a pull through the ranks is multiplied by.
  [[nodiscard]] __device__ double factor(double best) const { return -1.0 / (best * temperature); }

 private:
  template <class Team, class T>
  [[nodiscard]] static __device__ double nothing(const Team& team, std::uint32_t n,
                                                 const device_sink<T>& sink) {
    if (sink.wanted())
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) sink.put(i, T{0});
    return 0.0;
  }

  /// The loss from the ranks; `a` holds gains and becomes d(DCG) / d(rank). `item_of` is the item of a
  /// position.
  template <class Team, class T, class Ranks, class Sums, class ItemOf>
  [[nodiscard]] __device__ double differentiate(const Team& team, std::uint32_t n, double best, T* a,
                                                T* slopes, const device_sink<T>& sink, Ranks ranks,
                                                const Sums& sums, ItemOf item_of) const {
    rank_sums found{0.0, 0.0, 0.0};
    ranks([&](std::uint32_t i, T rank, T slope_sum) {
      slopes[i] = slope_sum;
      add_rank(found, a[i], rank, slope_sum);
    });
    found = found.of_all(team);
    if (sink.wanted())
      sums.pull(team, a, slopes, found.centre(), [&](std::uint32_t i, T pull) {
        sink.put(item_of(i), static_cast<T>(static_cast<double>(pull) * factor(best)));
      });
    return 1.0 - found.dcg / best;
  }
};

/// sndcg of long lists, over the grid: gains; gains and scores sorted; ranks and their sums; the pull.
struct sndcg_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  /// What is known of a list.
  struct list_numbers {
    gain_options::units units;
    double best;  ///< the ideal DCG
    double centre;
  };

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<T>::type;
    sorted_arrays<key> sorted_gains, scores;
    digit_counts counts;
    sigmoid_tiles<T> sums;
    T* gains;   ///< [items] by item
    T* a;       ///< [items] by score, as the next: gains, which become d(DCG) / d(rank)
    T* slopes;  ///< [items]
    gain_options::greatest_numbers* most;  ///< [tiles]
    double* best;                          ///< [tiles] what each adds to the ideal DCG
    rank_sums* found;                      ///< [tiles]
    list_numbers* lists;                   ///< [lists]

    explicit arrays(tile_arrays& from)
        : sorted_gains(sorted_arrays<key>::of(from, false)),
          scores(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 2)),
          sums(from),
          gains(from.of_items<T>()),
          a(from.of_items<T>()),
          slopes(from.of_items<T>()),
          most(from.of_tiles<gain_options::greatest_numbers>()),
          best(from.of_tiles<double>()),
          found(from.of_tiles<rank_sums>()),
          lists(from.of_lists<list_numbers>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    grid.tiles("sndcg: find_units", find_units<T, R>{of});
    grid.lists("sndcg: choose_units", choose_units<T, R>{of});
    grid.tiles("sndcg: fill_gains", fill_gains<T, R>{of});
    grid.sort(of.counts, {of.sorted_gains, of.scores});
    grid.tiles("sndcg: sum_exponentials", sum_exponentials<T, R>{of});
    grid.lists("sndcg: sum_ideal", sum_ideal<T, R>{of});
    grid.tiles("sndcg: find_ranks", find_ranks<T, R>{of});
    grid.lists("sndcg: sum_dcg", sum_dcg<T, R>{of});
    if (!grid.gradient_wanted()) return;
    grid.tiles("sndcg: sum_pulls", sum_pulls<T, R>{of});
    grid.lists("sndcg: hand_on_pulls", hand_on_pulls<T, R>{of});
    grid.tiles("sndcg: pull", pull<T, R>{of});
  }

  template <class T, class R>
  struct find_units {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      gain_options::greatest_numbers own{0.0, 0.0};
      tile.for_own(team, [&](std::uint32_t i) { own.add(loss.gains, list.items, i); });
      own = own.of_all(team);
      if (team.rank() == 0) of.most[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct choose_units {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list&, const grid_list<T, R>& list) const {
      gain_options::greatest_numbers own{0.0, 0.0};
      for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size())
        own = own.with(of.most[list.tile + t]);
      own = own.of_all(team);
      if (team.rank() == 0) of.lists[list.at].units = gain_options::units::of(own, list.items.weighted());
    }
  };

  template <class T, class R>
  struct fill_gains {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const gain_options::units units = of.lists[list.at].units;
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

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const auto* const gains = of.sorted_gains.keys[0] + list.first;
      const auto* const scores = of.scores.keys[0] + list.first;
      const std::uint32_t* const order = of.scores.indices[0] + list.first;
      double ideal = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const std::uint32_t first = loss.gains.how == ideal::competition_ranks ? run_begin(gains, p) : p;
        ideal += loss.gains.ideal_term(falling_bits<T>::number(gains[p]), first, p - first);
        of.a[list.first + p] = of.gains[list.first + order[p]];
      });
      ideal = sum(team, ideal);
      if (team.rank() == 0) of.best[list.tile + tile.index] = ideal;
      const double onward = of.sums.fill_decays(team, list, tile, loss.temperature, [&](std::uint32_t p) {
        return falling_bits<T>::number(scores[p]);
      });
      of.sums.sum_tile(team, list, tile, onward, [](std::uint32_t) { return 1.0; });
    }

    /// Where the run of equal keys begins that position p is of.
    template <class Key>
    [[nodiscard]] static __device__ std::uint32_t run_begin(const Key* keys, std::uint32_t p) {
      std::uint32_t from = 0, to = p;
      while (from < to) {
        const std::uint32_t middle = from + (to - from) / 2;
        if (keys[middle] == keys[p])
          to = middle;
        else
          from = middle + 1;
      }
      return from;
    }
  };

  template <class T, class R>
  struct sum_ideal {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list&, const grid_list<T, R>& list) const {
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

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      T* const a = of.a + list.first + tile.begin;
      T* const slopes = of.slopes + list.first + tile.begin;
      rank_sums own{0.0, 0.0, 0.0};
      of.sums.sums(list, tile).ranks(team, slopes, [&](std::uint32_t i, T rank, T slope_sum) {
        slopes[i] = slope_sum;
        loss.add_rank(own, a[i], rank, slope_sum);
      });
      own = own.of_all(team);
      if (team.rank() == 0) of.found[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct sum_dcg {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list&, const grid_list<T, R>& list) const {
      rank_sums own{0.0, 0.0, 0.0};
      for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size())
        own = own.with(of.found[list.tile + t]);
      own = own.of_all(team);
      if (team.rank() != 0) return;
      const double best = of.lists[list.at].best;
      of.lists[list.at].centre = own.centre();
      *list.value = best > 0.0 ? 1.0 - own.dcg / best : 0.0;
    }
  };

  template <class T, class R>
  struct sum_pulls {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const T* const a = of.a + list.first;
      const double centre = of.lists[list.at].centre;
      of.sums.sum_tile(team, list, tile, of.sums.onward(list, tile),
                       [&](std::uint32_t i) { return static_cast<double>(a[i]) - centre; });
    }
  };

  template <class T, class R>
  struct hand_on_pulls {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list&, const grid_list<T, R>& list) const {
      of.sums.hand_on(team, list);
    }
  };

  template <class T, class R>
  struct pull {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const sndcg_list& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::size_t begin = list.first + tile.begin;
      const std::uint32_t* const order = of.scores.indices[0] + begin;
      const double best = of.lists[list.at].best;
      const double factor = best > 0.0 ? loss.factor(best) : 0.0;
      of.sums.sums(list, tile)
          .pull(team, of.a + begin, of.slopes + begin, of.lists[list.at].centre,
                [&](std::uint32_t i, T pulled) {
                  list.sink.put(order[i], static_cast<T>(static_cast<double>(pulled) * factor));
                });
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<sndcg, cuda::context>
    : cuda::detail::list_engine<sndcg, cuda::detail::sndcg_list,
                                cuda::detail::over_grid<cuda::detail::sndcg_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
