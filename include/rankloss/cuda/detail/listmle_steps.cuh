// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/random_bits.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/listmle.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The weights of positions, divided by the greatest item weight of a list. Numerator and denominator of those
/// by position are divided by 2^n.
struct order_weights {
  std::uint32_t n, counted;
  bool by_position;
  double heaviest, least, inverse;

  [[nodiscard]] static __device__ std::uint32_t counted_of(const listmle& loss, std::uint32_t n) {
    return loss.cutoff == 0 || loss.cutoff > n ? n : static_cast<std::uint32_t>(loss.cutoff);
  }
  [[nodiscard]] static __device__ order_weights of(const listmle& loss, std::uint32_t n, double heaviest) {
    const double least = ldexp(1.0, -static_cast<int>(n < 4096 ? n : 4096));
    return {n,
            counted_of(loss, n),
            loss.weights != position_weights::none,
            heaviest,
            least,
            1.0 / (1.0 - (1.0 + static_cast<double>(n)) * least)};
  }
  /// Whether no item counts.
  [[nodiscard]] __device__ bool none() const { return !(heaviest > 0.0) || (by_position && n == 1); }
  /// Of item i at position k.
  template <class T, class R>
  [[nodiscard]] __device__ double of_item(const device_list<T, R>& items, std::uint32_t k,
                                          std::uint32_t i) const {
    if (k >= counted) return 0.0;
    double c = by_position ? (ldexp(1.0, -1 - static_cast<int>(k < 4096 ? k : 4096)) - least) * inverse : 1.0;
    if (items.weighted()) c *= items.weight(i) / heaviest;
    return c;
  }
};

/// listmle of long lists, over the grid: sorted by relevance; sums over rests by a scan from the end; what each
/// choice pulls by a scan from the beginning.
struct listmle_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    using key = typename falling_bits<R>::type;
    sorted_arrays<key> order;
    digit_counts counts;
    T* s;          ///< [items] scores in the order
    T* most;       ///< [items] the greatest score of the rest
    double* sums;  ///< [items] the sum of the rest
    tile_maxima heaviest;
    tile_sums values;
    tile_scan<leveled_sum> rests, pulls;
    tile_scan<leveled_squares> squares;
    double* weight;  ///< [lists] the greatest

    explicit arrays(tile_arrays& from)
        : order(sorted_arrays<key>::of(from, true)),
          counts(digit_counts::of(from, 1)),
          s(from.of_items<T>()),
          most(from.of_items<T>()),
          sums(from.of_items<double>()),
          heaviest(from),
          values(from),
          rests(from),
          pulls(from),
          squares(from),
          weight(from.of_lists<double>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const bool drawn = grid.compute().loss.ties == tie_order::random;
    if (drawn) {
      grid.tiles("listmle: draw_keys", draw_keys<T, R>{of});
      grid.sort(of.counts, {of.order}, true, sizeof(std::uint32_t));
    }
    grid.tiles("listmle: take_keys", take_keys<T, R>{of, drawn});
    grid.sort(of.counts, {of.order}, !drawn);
    grid.tiles("listmle: sum_rests", sum_rests<T, R>{of});
    grid.lists("listmle: hand_on_rests", hand_on_rests<T, R>{of});
    grid.tiles("listmle: find_rests", find_rests<T, R>{of});
    grid.lists("listmle: find_value", find_value<T, R>{of});
    if (grid.gradient_wanted()) grid.tiles("listmle: put_slopes", put_slopes<T, R>{of});
    if (!grid.hessian_wanted()) return;
    grid.tiles("listmle: sum_squares", sum_squares<T, R>{of});
    grid.lists("listmle: hand_on_squares", hand_on_squares<T, R>{of});
    grid.tiles("listmle: put_curvatures", put_curvatures<T, R>{of});
  }

  template <class T, class R>
  struct draw_keys {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team, [&](std::uint32_t i) {
        of.order.keys[0][list.first + i] = random_bits(compute.loss.seed, list.items.number, i);
      });
    }
  };

  template <class T, class R>
  struct take_keys {
    arrays<T, R> of;
    bool drawn;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      tile.for_own(team, [&](std::uint32_t k) {
        const std::uint32_t i = drawn ? of.order.indices[0][list.first + k] : k;
        of.order.keys[0][list.first + k] = falling_bits<R>::of(list.items.relevance(i));
      });
    }
  };

  template <class T, class R>
  struct sum_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const std::uint32_t counted = order_weights::counted_of(compute.loss, list.size());
      double heaviest = 0.0;
      tile.for_own(team, [&](std::uint32_t k) {
        const std::uint32_t i = of.order.indices[0][list.first + k];
        of.s[list.first + k] = rankloss::detail::bounded(list.items.score(i));
        if (k < counted) heaviest = fmax(heaviest, list.items.weight(i));
      });
      of.heaviest.leave(team, list, tile, heaviest);
      team.sync();
      of.rests.leave(team, list, tile,
                     scan_rests(
                         team, compute, of, list, tile, [](std::uint32_t, const leveled_sum&) {},
                         leveled_sums::no_rest()));
    }
  };

  template <class T, class R>
  struct hand_on_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const double heaviest = of.heaviest.of(team, list);
      if (team.rank() == 0) of.weight[list.at] = list.items.weighted() ? heaviest : 1.0;
      const leveled_sums sums(compute.loss.temperature);
      of.rests.hand_on(
          team, list, leveled_sums::no_rest(),
          [&](const leveled_sum& a, const leveled_sum& b) { return sums.rests(a, b); }, true);
    }
  };

  /// And the value, and what the choices of a tile pull.
  template <class T, class R>
  struct find_rests {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      scan_rests(
          team, compute, of, list, tile,
          [&](std::uint32_t k, const leveled_sum& rest) {
            of.most[list.first + k] = static_cast<T>(rest.level);
            of.sums[list.first + k] = rest.sum;
          },
          of.rests.of(list, tile));
      team.sync();
      const leveled_sums sums(compute.loss.temperature);
      const order_weights weights = order_weights::of(compute.loss, list.size(), of.weight[list.at]);
      double value = 0.0;
      tile.for_own(team, [&](std::uint32_t k) {
        const std::size_t at = list.first + k;
        value += weights.of_item(list.items, k, of.order.indices[0][at]) *
                 (log(of.sums[at]) +
                  sums.between(static_cast<double>(of.most[at]), static_cast<double>(of.s[at])));
      });
      of.values.leave(team, list, tile, value);
      of.pulls.leave(team, list, tile,
                     scan_pulls<leveled_sum>(
                         team, compute, of, list, tile, weights, [](std::uint32_t, const leveled_sum&) {},
                         leveled_sums::no_pull()));
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const double value = of.values.of(team, list);
      const double heaviest = of.weight[list.at];
      if (team.rank() == 0)
        *list.value = order_weights::of(compute.loss, list.size(), heaviest).none()
                          ? 0.0
                          : fmin(heaviest * value, rankloss::detail::largest_term);
      const leveled_sums sums(compute.loss.temperature);
      of.pulls.hand_on(team, list, leveled_sums::no_pull(),
                       [&](const leveled_sum& a, const leveled_sum& b) { return sums.pulls(a, b); });
    }
  };

  template <class T, class R>
  struct put_slopes {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double heaviest = of.weight[list.at];
      const order_weights weights = order_weights::of(compute.loss, list.size(), heaviest);
      if (weights.none()) {
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put(i, T{0}); });
        return;
      }
      const leveled_sums sums(compute.loss.temperature);
      const double factor = bounded_factor<T>(heaviest / compute.loss.temperature);
      scan_pulls<leveled_sum>(
          team, compute, of, list, tile, weights,
          [&](std::uint32_t k, const leveled_sum& pull) {
            const std::size_t at = list.first + k;
            const std::uint32_t i = of.order.indices[0][at];
            const double pulled =
                pull.sum * sums.power(static_cast<double>(of.s[at]), static_cast<double>(of.most[at]));
            list.sink.put(i, held_as<T>(factor * (pulled - weights.of_item(list.items, k, i))));
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
      const order_weights weights = order_weights::of(compute.loss, list.size(), of.weight[list.at]);
      of.squares.leave(
          team, list, tile,
          scan_pulls<leveled_squares>(
              team, compute, of, list, tile, weights, [](std::uint32_t, const leveled_squares&) {},
              leveled_sums::no_pull<leveled_squares>()));
    }
  };

  template <class T, class R>
  struct hand_on_squares {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const leveled_sums sums(compute.loss.temperature);
      of.squares.hand_on(
          team, list, leveled_sums::no_pull<leveled_squares>(),
          [&](const leveled_squares& a, const leveled_squares& b) { return sums.pulls(a, b); });
    }
  };

  template <class T, class R>
  struct put_curvatures {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double heaviest = of.weight[list.at], temperature = compute.loss.temperature;
      const order_weights weights = order_weights::of(compute.loss, list.size(), heaviest);
      if (weights.none()) {
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put_hessian(i, T{0}); });
        return;
      }
      const leveled_sums sums(temperature);
      const double factor = bounded_factor<T>(heaviest / temperature / temperature);
      scan_pulls<leveled_squares>(
          team, compute, of, list, tile, weights,
          [&](std::uint32_t k, const leveled_squares& pull) {
            const std::size_t at = list.first + k;
            const double e = sums.power(static_cast<double>(of.s[at]), static_cast<double>(of.most[at]));
            list.sink.put_hessian(of.order.indices[0][at], held_as<T>(factor * pull.bend(e)));
          },
          of.squares.of(list, tile));
    }
  };

 private:
  /// Scans the rests of the positions of a tile, from its end.
  template <class Team, class Compute, class T, class R, class Put>
  static __device__ leveled_sum scan_rests(const Team& team, const Compute& compute, const arrays<T, R>& of,
                                           const grid_list<T, R>& list, const grid_tile& tile, Put put,
                                           const leveled_sum& before) {
    const leveled_sums sums(compute.loss.temperature);
    return scan_items(
        team, tile.size(), leveled_sums::no_rest(),
        [&](std::uint32_t p) {
          return leveled_sum{static_cast<double>(of.s[list.first + tile.end - 1 - p]), 1.0};
        },
        [&](const leveled_sum& a, const leveled_sum& b) { return sums.rests(a, b); },
        [&](std::uint32_t p, const leveled_sum& rest) { put(tile.end - 1 - p, rest); }, before);
  }
  /// Scans what the choices at the positions of a tile pull.
  template <class X, class Team, class Compute, class T, class R, class Put>
  static __device__ X scan_pulls(const Team& team, const Compute& compute, const arrays<T, R>& of,
                                 const grid_list<T, R>& list, const grid_tile& tile,
                                 const order_weights& weights, Put put, const X& before) {
    const leveled_sums sums(compute.loss.temperature);
    return scan_items(
        team, tile.size(), leveled_sums::no_pull<X>(),
        [&](std::uint32_t p) {
          const std::size_t at = list.first + tile.begin + p;
          const double c = weights.of_item(list.items, tile.begin + p, of.order.indices[0][at]);
          return leveled_sums::pull<X>({static_cast<double>(of.most[at]), of.sums[at]}, c, c);
        },
        [&](const X& a, const X& b) { return sums.pulls(a, b); },
        [&](std::uint32_t p, const X& pull) { put(tile.begin + p, pull); }, before);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
