// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Losses of a target and the softmax of the scores over long lists, over the grid: the greatest numbers, the sum
/// of the target, sums of exponentials, slopes. Target and exponentials are formed again in each step rather than
/// kept, so scratch is for tiles and lists alone.
struct softmax_steps {
  static constexpr std::uint32_t longest_of_block = longest_passed_by_block;

  /// The greatest score, the greatest parts of the target, and the greatest of what it depends on.
  struct greatest_numbers {
    double score;
    greatest_parts parts;
    double decisive;

    [[nodiscard]] static __device__ greatest_numbers none() {
      return {lowest_number<double>, {}, lowest_number<double>};
    }
    [[nodiscard]] __device__ greatest_numbers with(const greatest_numbers& o) const {
      return {fmax(score, o.score), parts.with(o.parts), fmax(decisive, o.decisive)};
    }
    template <class Team>
    [[nodiscard]] __device__ greatest_numbers of_all(const Team& team) const {
      return {greatest(team, score), parts.of_all(team), greatest(team, decisive)};
    }
  };
  /// The sum of the target without and with powers of two.
  struct totals {
    double plain, scaled;
  };
  struct list_numbers {
    greatest_numbers most;
    softmax_target target;
    softmax_result<double> result;

    /// Whether there is anything to compute.
    [[nodiscard]] __device__ bool any(std::uint32_t n) const { return n > 1 && target.total > 0.0; }
  };

  template <class T, class R>
  struct arrays {
    greatest_numbers* most;      ///< [tiles]
    totals* total;               ///< [tiles]
    softmax_sums<double>* sums;  ///< [tiles]
    list_numbers* lists;         ///< [lists]

    explicit arrays(tile_arrays& from)
        : most(from.of_tiles<greatest_numbers>()),
          total(from.of_tiles<totals>()),
          sums(from.of_tiles<softmax_sums<double>>()),
          lists(from.of_lists<list_numbers>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    grid.tiles("softmax: find_greatest", find_greatest<T, R>{of});
    grid.lists("softmax: take_greatest", take_greatest<T, R>{of});
    grid.tiles("softmax: sum_target", sum_target<T, R>{of});
    grid.lists("softmax: choose_target", choose_target<T, R>{of});
    grid.tiles("softmax: sum_exponentials", sum_exponentials<T, R>{of});
    grid.lists("softmax: find_value", find_value<T, R>{of});
    if (grid.derivatives_wanted()) grid.tiles("softmax: put_derivatives", put_derivatives<T, R>{of});
  }

  template <class T, class R>
  struct find_greatest {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      greatest_numbers own = greatest_numbers::none();
      tile.for_own(team, [&](std::uint32_t i) {
        own = own.with({score_of(list.items, i), greatest_parts::of(list.items, i),
                        compute.template decisive<double>(list.items, i)});
      });
      own = own.of_all(team);
      if (team.rank() == 0) of.most[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct take_greatest {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const auto all = list.combine(team, of.most, greatest_numbers::none());
      if (team.rank() == 0) of.lists[list.at].most = all;
    }
  };

  template <class T, class R>
  struct sum_target {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const list_numbers& numbers = of.lists[list.at];
      const auto target = compute.template target<T>(numbers.most.decisive, list.items.number);
      const softmax_target plain{0.0, 1.0, 1.0};
      const softmax_target scaled = numbers.most.parts.scaled(list.items.weighted(), target.scales());
      totals own{0.0, 0.0};
      tile.for_own(team, [&](std::uint32_t i) {
        own.plain += plain.of_item(list.items, i, target);
        own.scaled += scaled.of_item(list.items, i, target);
      });
      own = {sum(team, own.plain), sum(team, own.scaled)};
      if (team.rank() == 0) of.total[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct choose_target {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      list_numbers& numbers = of.lists[list.at];
      softmax_target plain{0.0, 1.0, 1.0};
      softmax_target scaled = numbers.most.parts.scaled(
          list.items.weighted(),
          compute.template target<T>(numbers.most.decisive, list.items.number).scales());
      for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size()) {
        plain.total += of.total[list.tile + t].plain;
        scaled.total += of.total[list.tile + t].scaled;
      }
      plain.total = sum(team, plain.total);
      scaled.total = sum(team, scaled.total);
      if (team.rank() == 0) numbers.target = plain.plain() ? plain : scaled;
    }
  };

  template <class T, class R>
  struct sum_exponentials {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      softmax_sums<double> own;
      for_terms(team, compute, list, tile, of.lists[list.at],
                [&](std::uint32_t, double v, double d, double e) { own.add(v, d, e); });
      own = own.of_all(team);
      if (team.rank() == 0) of.sums[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list) const {
      const auto all = list.combine(team, of.sums, softmax_sums<double>{});
      if (team.rank() != 0) return;
      list_numbers& numbers = of.lists[list.at];
      const softmax_target target = numbers.target;
      numbers.result =
          softmax_result<double>::of<T>(all, target.total * target.raise(), compute.mass(target.mass()),
                                        compute.poly(), compute.loss.temperature);
      *list.value = numbers.any(list.size()) ? numbers.result.value : 0.0;
    }
  };

  template <class T, class R>
  struct put_derivatives {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const softmax_result<double> result = of.lists[list.at].result;
      if (of.lists[list.at].any(list.size()))
        for_terms(team, compute, list, tile, of.lists[list.at],
                  [&](std::uint32_t i, double v, double, double e) { result.put(list.sink, i, v, e); });
      else
        tile.for_own(team, [&](std::uint32_t i) { list.sink.put_wanted(i, T{0}, T{0}); });
    }
  };

  /// Calls body(i, v, d, e) with the target of each item of a thread, its distance below the greatest score and
  /// the exponential of that.
  template <class Team, class Compute, class T, class R, class Body>
  static __device__ void for_terms(const Team& team, const Compute& compute, const grid_list<T, R>& list,
                                   const grid_tile& tile, const list_numbers& numbers, Body body) {
    const auto of = compute.template target<T>(numbers.most.decisive, list.items.number);
    const softmax_target target = numbers.target;
    const score_distance<double> below{numbers.most.score, 2.0 / compute.loss.temperature};
    const double raise = target.raise();
    tile.for_own(team, [&](std::uint32_t i) {
      const double d = below(score_of(list.items, i));
      body(i, target.of_item(list.items, i, of) * raise, d, exp_below<T>(d));
    });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
