// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The draw of an item from itself and a rest: -log p, and 1 - p.
struct item_draw {
  double term, other;

  [[nodiscard]] static __device__ item_draw of(const leveled_sums& sums, double s, const leveled_sum& rest) {
    const double d = sums.between(s, rest.level) - log(rest.sum);
    const double u = exp(-fabs(d));
    return {fmax(-d, 0.0) + log1p(u), (d > 0.0 ? u : 1.0) / (1.0 + u)};
  }
};

/// unique_softmax of long lists, over the grid: sorted by relevance; sums over rests by a scan from the end; what
/// each draw pulls by a scan from the beginning. Rests begin where a grade ends, which may be in another tile.
struct unique_softmax_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<R>::type;
    sorted_arrays<key> order;
    digit_counts counts;
    T* s;            ///< [items] scores in the order
    T* most;         ///< [items] the greatest score of the rest
    double* sums;    ///< [items] the sum of the rest
    double* pulled;  ///< [items] what the draws up to each position pull
    tile_maxima gains;
    tile_sums values;
    tile_scan<leveled_sum> rests, pulls;
    double* mass;  ///< [lists] the greatest gain

    explicit arrays(tile_arrays& from)
        : order(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 1)),
          s(from.of_items<T>()),
          most(from.of_items<T>()),
          sums(from.of_items<double>()),
          pulled(from.of_items<double>()),
          gains(from),
          values(from),
          rests(from),
          pulls(from),
          mass(from.of_lists<double>()) {}

    // What a list has at its positions.
    [[nodiscard]] __device__ std::uint32_t item(const grid_list<T, R>& list, std::uint32_t k) const {
      return order.indices[0][list.first + k];
    }
    [[nodiscard]] __device__ double score(const grid_list<T, R>& list, std::uint32_t k) const {
      return static_cast<double>(s[list.first + k]);
    }
    [[nodiscard]] __device__ leveled_sum rest(const grid_list<T, R>& list, std::uint32_t k) const {
      return {static_cast<double>(most[list.first + k]), sums[list.first + k]};
    }
    [[nodiscard]] __device__ key_runs<key> grades(const grid_list<T, R>& list) const {
      return {order.keys[0] + list.first, list.size()};
    }
    /// Scans the rests of the positions of a tile, from its end.
    template <class Team, class Compute, class Put>
    __device__ leveled_sum scan_rests(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                                      const grid_tile& tile, Put put, const leveled_sum& before) const {
      const leveled_sums by(compute.temperature);
      return scan_items(
          team, tile.size(), leveled_sums::no_rest(),
          [&](std::uint32_t p) {
            return leveled_sum{score(list, tile.end - 1 - p), 1.0};
          },
          [&](const leveled_sum& a, const leveled_sum& b) { return by.rests(a, b); },
          [&](std::uint32_t p, const leveled_sum& x) { put(tile.end - 1 - p, x); }, before);
    }
    /// Scans what the draws at the positions of a tile pull, and adds up what they are worth.
    template <class Team, class Compute, class Put>
    __device__ leveled_sum scan_pulls(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                                      const grid_tile& tile, double& value, Put put,
                                      const leveled_sum& before) const {
      const leveled_sums by(compute.temperature);
      const double greatest = mass[list.at];
      return scan_items(
          team, tile.size(), leveled_sums::no_pull(),
          [&](std::uint32_t p) {
            const std::uint32_t k = tile.begin + p, end = grades(list).end(k);
            if (!(end < list.size())) return leveled_sums::no_pull();
            const leveled_sum behind = rest(list, end);
            const double g = compute.gain_of(list.items, item(list, k)) / greatest;
            if (!(g > 0.0)) return leveled_sum{behind.level, 0.0};
            const item_draw drawn = item_draw::of(by, score(list, k), behind);
            value += g * drawn.term;
            return leveled_sum{behind.level, g * drawn.other / behind.sum};
          },
          [&](const leveled_sum& a, const leveled_sum& b) { return by.pulls(a, b); },
          [&](std::uint32_t p, const leveled_sum& x) { put(tile.begin + p, x.sum); }, before);
    }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    grid.tiles("unique_softmax: take_keys", take_keys<T, R>{of});
    grid.sort(of.counts, {of.order});
    grid.tiles("unique_softmax: sum_rests", sum_rests<T, R>{of});
    grid.lists("unique_softmax: hand_on_rests", hand_on_rests<T, R>{of});
    grid.tiles("unique_softmax: find_rests", find_rests<T, R>{of});
    grid.tiles("unique_softmax: sum_pulls", sum_pulls<T, R>{of});
    grid.lists("unique_softmax: find_value", find_value<T, R>{of});
    if (!grid.gradient_wanted()) return;
    grid.tiles("unique_softmax: find_pulls", find_pulls<T, R>{of});
    grid.tiles("unique_softmax: put_slopes", put_slopes<T, R>{of});
  }

  template <class T, class R>
  struct take_keys {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double greatest = 0.0;
      tile.for_own(team, [&](std::uint32_t i) {
        of.order.keys[0][list.first + i] = falling_bits<R>::of(list.items.relevance(i));
        greatest = fmax(greatest, compute.gain_of(list.items, i));
      });
      of.gains.leave(team, list, tile, greatest);
    }
  };

  template <class T, class R>
  struct sum_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team, [&](std::uint32_t k) {
        of.s[list.first + k] = rankloss::detail::bounded(list.items.score(of.item(list, k)));
      });
      team.sync();
      of.rests.leave(
          team, list, tile,
          of.scan_rests(
              team, compute, list, tile, [](std::uint32_t, const leveled_sum&) {}, leveled_sums::no_rest()));
    }
  };

  template <class T, class R>
  struct hand_on_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const double mass = of.gains.of(team, list);
      if (team.rank() == 0) of.mass[list.at] = mass;
      const leveled_sums by(compute.temperature);
      of.rests.hand_on(
          team, list, leveled_sums::no_rest(),
          [&](const leveled_sum& a, const leveled_sum& b) { return by.rests(a, b); }, true);
    }
  };

  template <class T, class R>
  struct find_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.scan_rests(
          team, compute, list, tile,
          [&](std::uint32_t k, const leveled_sum& rest) {
            of.most[list.first + k] = static_cast<T>(rest.level);
            of.sums[list.first + k] = rest.sum;
          },
          of.rests.of(list, tile));
    }
  };

  template <class T, class R>
  struct sum_pulls {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double value = 0.0;
      const leveled_sum all = of.scan_pulls(
          team, compute, list, tile, value, [](std::uint32_t, double) {}, leveled_sums::no_pull());
      of.pulls.leave(team, list, tile, all);
      of.values.leave(team, list, tile, value);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const double value = of.values.of(team, list);
      const double mass = of.mass[list.at];
      if (team.rank() == 0)
        *list.value = mass > 0.0 ? fmin(mass * value, rankloss::detail::largest_term) : 0.0;
      const leveled_sums by(compute.temperature);
      of.pulls.hand_on(team, list, leveled_sums::no_pull(),
                       [&](const leveled_sum& a, const leveled_sum& b) { return by.pulls(a, b); });
    }
  };

  template <class T, class R>
  struct find_pulls {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double value = 0.0;
      of.scan_pulls(
          team, compute, list, tile, value,
          [&](std::uint32_t k, double pulled) { of.pulled[list.first + k] = pulled; },
          of.pulls.of(list, tile));
    }
  };

  template <class T, class R>
  struct put_slopes {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double mass = of.mass[list.at];
      if (!(mass > 0.0)) {
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put(i, T{0}); });
        return;
      }
      const leveled_sums by(compute.temperature);
      const double factor = bounded_factor<T>(mass / compute.temperature);
      tile.for_own(team, [&](std::uint32_t k) {
        const auto grades = of.grades(list);
        const std::uint32_t begin = grades.begin(k), end = grades.end(k), i = of.item(list, k);
        const double g = compute.gain_of(list.items, i) / mass;
        double slope = 0.0;
        if (begin > 0)
          slope = of.pulled[list.first + begin - 1] * by.power(of.score(list, k), of.rest(list, begin).level);
        if (end < list.size() && g > 0.0)
          slope -= g * item_draw::of(by, of.score(list, k), of.rest(list, end)).other;
        list.sink.put(i, held_as<T>(factor * slope));
      });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
