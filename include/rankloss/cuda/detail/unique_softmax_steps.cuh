// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_draws.cuh>
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

/// unique_softmax of long lists, over the grid: sorted by relevance; sums over rests by a scan from the end; what
/// each draw pulls by a scan from the beginning. Rests begin where a grade ends, which may be in another tile.
struct unique_softmax_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<R>::type;
    sorted_arrays<key> order;
    digit_counts counts;
    T* s;          ///< [items] scores in the order
    T* most;       ///< [items] the greatest score of the rest
    double* sums;  ///< [items] the sum of the rest
    tile_maxima gains;
    tile_sums values;
    tile_scan<leveled_sum> rests;
    tile_scan<graded<leveled_sum>> pulls;
    tile_scan<graded<leveled_squares>> squares;
    double* mass;  ///< [lists] the greatest gain

    explicit arrays(tile_arrays& from)
        : order(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 1)),
          s(from.of_items<T>()),
          most(from.of_items<T>()),
          sums(from.of_items<double>()),
          gains(from),
          values(from),
          rests(from),
          pulls(from),
          squares(from),
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
    template <class X, class Team, class Compute, class Put>
    __device__ graded<X> scan_pulls(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                                    const grid_tile& tile, double& value, Put put,
                                    const graded<X>& before) const {
      return scan_items(
          team, tile.size(), graded<X>::none(leveled_sums::no_pull<X>()),
          [&](std::uint32_t p) {
            const std::uint32_t k = tile.begin + p;
            const own_draw own(*this, compute, list, k);
            value += own.g * own.drawn.term;
            const key* const keys = order.keys[0] + list.first;
            return graded<X>::of(own.g > 0.0
                                     ? leveled_sums::pull<X>(own.behind, own.g * own.drawn.other,
                                                             own.g * own.drawn.other * own.drawn.other)
                                     : leveled_sums::no_pull<X>(),
                                 k == 0 || keys[k - 1] != keys[k], leveled_sums::no_pull<X>());
          },
          joined_pulls<X>{leveled_sums(compute.temperature)},
          [&](std::uint32_t p, const graded<X>& x) { put(tile.begin + p, x.before); }, before);
    }
    template <class X>
    struct joined_pulls {
      leveled_sums by;

      __device__ graded<X> operator()(const graded<X>& a, const graded<X>& b) const {
        return graded<X>::joined(a, b, [this](const X& x, const X& y) { return by.pulls(x, y); });
      }
    };
    /// The draw at position k of a list, with its gain g as a share of the greatest; 0 where nothing is drawn.
    struct own_draw {
      double g = 0.0;
      leveled_sum behind{0.0, 0.0};
      item_draw drawn{0.0, 0.0};

      template <class Compute>
      __device__ own_draw(const arrays& of, const Compute& compute, const grid_list<T, R>& list,
                          std::uint32_t k) {
        const std::uint32_t end = of.grades(list).end(k);
        if (!(end < list.size())) return;
        const double own = compute.gain_of(list.items, of.item(list, k)) / of.mass[list.at];
        if (!(own > 0.0)) return;
        g = own;
        behind = of.rest(list, end);
        drawn = item_draw::of(leveled_sums(compute.temperature), of.score(list, k), behind);
      }
    };
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
    if (grid.gradient_wanted()) grid.tiles("unique_softmax: put_slopes", put_slopes<T, R>{of});
    if (!grid.hessian_wanted()) return;
    grid.tiles("unique_softmax: sum_squares", sum_squares<T, R>{of});
    grid.lists("unique_softmax: hand_on_squares", hand_on_squares<T, R>{of});
    grid.tiles("unique_softmax: put_curvatures", put_curvatures<T, R>{of});
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
      const auto all = of.template scan_pulls<leveled_sum>(
          team, compute, list, tile, value, [](std::uint32_t, const leveled_sum&) {},
          graded<leveled_sum>::none(leveled_sums::no_pull()));
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
      of.pulls.hand_on(
          team, list, graded<leveled_sum>::none(leveled_sums::no_pull()),
          typename arrays<T, R>::template joined_pulls<leveled_sum>{leveled_sums(compute.temperature)});
    }
  };

  template <class T, class R>
  struct put_slopes {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double mass = of.mass[list.at], temperature = compute.temperature;
      if (!(mass > 0.0)) {
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put(i, T{0}); });
        return;
      }
      const leveled_sums by(temperature);
      double value = 0.0;
      const double factor = bounded_factor<T>(mass / temperature);
      of.template scan_pulls<leveled_sum>(
          team, compute, list, tile, value,
          [&](std::uint32_t k, const leveled_sum& before) {
            const typename arrays<T, R>::own_draw own(of, compute, list, k);
            const double e = by.power(of.score(list, k), before.level);
            list.sink.put(of.item(list, k), held_as<T>(factor * (before.sum * e - own.g * own.drawn.other)));
          },
          of.pulls.of(list, tile));
    }
  };

  template <class T, class R>
  struct sum_squares {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double value = 0.0;
      of.squares.leave(team, list, tile,
                       of.template scan_pulls<leveled_squares>(
                           team, compute, list, tile, value, [](std::uint32_t, const leveled_squares&) {},
                           graded<leveled_squares>::none(leveled_sums::no_pull<leveled_squares>())));
    }
  };

  template <class T, class R>
  struct hand_on_squares {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      of.squares.hand_on(
          team, list, graded<leveled_squares>::none(leveled_sums::no_pull<leveled_squares>()),
          typename arrays<T, R>::template joined_pulls<leveled_squares>{leveled_sums(compute.temperature)});
    }
  };

  template <class T, class R>
  struct put_curvatures {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double mass = of.mass[list.at], temperature = compute.temperature;
      if (!(mass > 0.0)) {
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put_hessian(i, T{0}); });
        return;
      }
      const leveled_sums by(temperature);
      double value = 0.0;
      const double factor = bounded_factor<T>(mass / temperature / temperature);
      of.template scan_pulls<leveled_squares>(
          team, compute, list, tile, value,
          [&](std::uint32_t k, const leveled_squares& before) {
            const typename arrays<T, R>::own_draw own(of, compute, list, k);
            const double e = by.power(of.score(list, k), before.level);
            list.sink.put_hessian(
                of.item(list, k),
                held_as<T>(factor * (before.bend(e) + own.g * own.drawn.other * (1.0 - own.drawn.other))));
          },
          of.squares.of(list, tile));
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
