// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_steps.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// soft_spearman of long lists, over the grid: ranks of the relevance, which is sorted; those of the scores by the
/// steps of their ranks; both less their means; their correlation; the pull. Ranks are in the order of the batch.
template <template <class, class> class Steps>
struct spearman_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  struct list_numbers {
    double mean_a, mean_b;
    double rho, size_a, size_b;
    std::uint64_t flat;  ///< not 0: the ranks of one side are all equal, and the gradient is 0
  };

  template <class T, class R>
  struct arrays {
    Steps<T, R> ranks;
    sorted_arrays<typename falling_bits<R>::type> relevance;
    double *a, *b;  ///< [items] ranks of scores and of relevance, which becomes the derivatives by the ranks
    tile_sums sum_a, sum_b, squares_a, squares_b, products;
    product_units units;
    list_numbers* lists;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : ranks(from),
          relevance(sorted_arrays<typename falling_bits<R>::type>::of(from, true)),
          a(from.of_items<double>()),
          b(from.of_items<double>()),
          sum_a(from),
          sum_b(from),
          squares_a(from),
          squares_b(from),
          products(from),
          units(from),
          lists(from.of_lists<list_numbers>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const auto& on = grid.compute().ranks;
    sort_by_relevance<R>(grid, of.ranks.order.counts, of.relevance);
    of.ranks.prepare(grid, on);
    of.ranks.values(grid, on, to_array{of.a});
    grid.tiles("soft_spearman: unite_scores", unite_scores<T, R>{of.ranks.order, of.a});
    grid.tiles("soft_spearman: rank_relevance", rank_relevance<T, R>{of});
    grid.lists("soft_spearman: find_means", find_means<T, R>{of});
    grid.tiles("soft_spearman: centre_ranks", centre_ranks<T, R>{of});
    grid.lists("soft_spearman: correlate", correlate<T, R>{of});
    if (!grid.gradient_wanted()) return;
    grid.tiles("soft_spearman: find_slopes", find_slopes<T, R>{of});
    of.ranks.pull(grid, on, of.units.measure(grid, numbers_of_items<double>{of.b}), of.units.undo(to_sink{}));
  }

  /// The mean rank of the items of equal relevance; and the sums of both sides.
  template <class T, class R>
  struct rank_relevance {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const key_runs<typename falling_bits<R>::type> runs{of.relevance.keys[0] + list.first, list.size()};
      double a = 0.0, b = 0.0;
      tile.for_own(team, [&](std::uint32_t p) {
        const double rank = 0.5 * static_cast<double>(runs.begin(p) + runs.end(p) + 1);
        of.b[list.items.at(of.relevance.indices[0][list.first + p])] = rank;
        b += rank;
        a += of.a[list.items.at(p)];
      });
      of.sum_a.leave(team, list, tile, a);
      of.sum_b.leave(team, list, tile, b);
    }
  };

  template <class T, class R>
  struct find_means {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const auto n = static_cast<double>(list.size());
      const double a = of.sum_a.of(team, list), b = of.sum_b.of(team, list);
      if (team.rank() == 0) of.lists[list.at] = {a / n, b / n, 0.0, 0.0, 0.0, 0};
    }
  };

  template <class T, class R>
  struct centre_ranks {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const list_numbers numbers = of.lists[list.at];
      double squares_a = 0.0, squares_b = 0.0, products = 0.0;
      tile.for_own(team, [&](std::uint32_t i) {
        const std::size_t at = list.items.at(i);
        const double a = of.a[at] -= numbers.mean_a, b = of.b[at] -= numbers.mean_b;
        squares_a += a * a;
        squares_b += b * b;
        products += a * b;
      });
      of.squares_a.leave(team, list, tile, squares_a);
      of.squares_b.leave(team, list, tile, squares_b);
      of.products.leave(team, list, tile, products);
    }
  };

  template <class T, class R>
  struct correlate {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list) const {
      const double size_a = sqrt(of.squares_a.of(team, list)), size_b = sqrt(of.squares_b.of(team, list));
      const double product = of.products.of(team, list);
      if (team.rank() != 0) return;
      const auto* const sorted = of.relevance.keys[0] + list.first;
      const bool same_relevance = sorted[0] == sorted[list.size() - 1];
      const bool flat = same_relevance || loss.are_equal(size_a, list.size());
      list_numbers& numbers = of.lists[list.at];
      numbers.rho = flat ? 0.0 : product / (size_a * size_b);
      numbers.size_a = size_a;
      numbers.size_b = size_b;
      numbers.flat = flat ? 1 : 0;
      *list.value = same_relevance ? 0.0 : 1.0 - numbers.rho;
    }
  };

  template <class T, class R>
  struct find_slopes {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const list_numbers numbers = of.lists[list.at];
      tile.for_own(team, [&](std::uint32_t i) {
        const std::size_t at = list.items.at(i);
        of.b[at] = numbers.flat != 0
                       ? 0.0
                       : loss.slope(of.a[at], of.b[at], numbers.rho, numbers.size_a, numbers.size_b);
      });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
