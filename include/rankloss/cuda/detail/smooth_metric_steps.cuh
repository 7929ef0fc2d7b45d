// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/metrics_of_ranks.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Metrics that are sums of a term of each item, or the term of the first relevant one.
template <class Metric>
inline constexpr bool sums_terms = requires(const metric_of_ranks<Metric>& metric) {
  metric.factor(std::uint32_t{}, 1.0);
};
template <class Metric>
inline constexpr bool takes_first = requires(const metric_of_ranks<Metric>& metric) {
  metric.first_term(1.0);
};

/// smooth_metric of such a metric over long lists, by the grid: whether an item is relevant, and the sum of the
/// weights of those that are; ranks by their own steps; terms; the pull.
template <class Metric>
struct smooth_metric_grid {
  struct list_numbers {
    double any;    ///< 0: no item is relevant
    double unit;   ///< of the weights of relevant items
    double total;  ///< of these weights in the unit
    double first;  ///< the least rank of a relevant item
    double slope;  ///< by the rank of each that has it
  };
  /// The derivatives by the scores, of a loss that falls as the metric grows, or the other way round.
  struct to_gradient {
    double sign;

    template <class T, class R>
    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
      list.sink.put(i, held_as<T>(sign * x));
    }
  };

  template <template <class, class> class Steps>
  struct steps {
    static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

    template <class T, class R>
    struct arrays {
      Steps<T, R> ranks;
      double* r;  ///< [items] ranks in the order of the batch, which become derivatives
      tile_maxima any, heaviest;
      tile_sums sums;
      double* least;  ///< [tiles] ranks
      product_units units;
      list_numbers* lists;  ///< [lists]

      explicit arrays(tile_arrays& from)
          : ranks(from),
            r(from.of_items<double>()),
            any(from),
            heaviest(from),
            sums(from),
            least(from.of_tiles<double>()),
            units(from),
            lists(from.of_lists<list_numbers>()) {}
    };

    template <class Grid, class T, class R>
    static void run(const Grid& grid, const arrays<T, R>& of) {
      const auto& loss = grid.compute();
      grid.tiles("smooth_metric: find_relevant", find_relevant<T, R>{of});
      grid.lists("smooth_metric: choose_unit", choose_unit<T, R>{of});
      grid.tiles("smooth_metric: sum_weights", sum_weights<T, R>{of});
      grid.lists("smooth_metric: find_total", find_total<T, R>{of});
      of.ranks.prepare(grid, loss.ranks);
      of.ranks.values(grid, loss.ranks, to_array{of.r});
      if (loss.compares) grid.tiles("smooth_metric: unite_scores", unite_scores<T, R>{of.ranks.order, of.r});
      if constexpr (takes_first<Metric>) {
        grid.tiles("smooth_metric: find_least", find_least<T, R>{of});
        grid.lists("smooth_metric: take_least", take_least<T, R>{of});
        grid.tiles("smooth_metric: count_first", count_first<T, R>{of});
        grid.lists("smooth_metric: find_value", find_value<T, R>{of});
        grid.tiles("smooth_metric: take_slopes", take_slopes<T, R>{of});
      } else {
        grid.tiles("smooth_metric: sum_terms", add_terms<T, R>{of});
        grid.lists("smooth_metric: find_value", find_value<T, R>{of});
      }
      if (!grid.gradient_wanted()) return;
      of.ranks.pull(grid, loss.ranks, of.units.measure(grid, numbers_of_items<double>{of.r}),
                    of.units.undo(to_gradient{loss.sign}));
    }

    template <class T, class R>
    struct find_relevant {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        double any = 0.0, heaviest = 0.0;
        tile.for_own(team, [&](std::uint32_t i) {
          const bool counts = loss.counts(static_cast<double>(list.items.relevance(i)));
          if (counts && list.items.weight(i) > 0.0) any = 1.0;
          heaviest = fmax(heaviest, relevant_weight(list.items, i));
        });
        of.any.leave(team, list, tile, any);
        of.heaviest.leave(team, list, tile, heaviest);
      }
    };

    template <class T, class R>
    struct choose_unit {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
        const double any = of.any.of(team, list), heaviest = of.heaviest.of(team, list);
        if (team.rank() == 0) of.lists[list.at] = {any, unit_of(heaviest), 0.0, 0.0, 0.0};
      }
    };

    template <class T, class R>
    struct sum_weights {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const double unit = of.lists[list.at].unit;
        double own = 0.0;
        tile.for_own(team, [&](std::uint32_t i) { own += relevant_weight(list.items, i) * unit; });
        of.sums.leave(team, list, tile, own);
      }
    };

    template <class T, class R>
    struct find_total {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
        const double total = of.sums.of(team, list);
        if (team.rank() == 0) of.lists[list.at].total = total;
      }
    };

    template <class T, class R>
    struct add_terms {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const list_numbers numbers = of.lists[list.at];
        const double factor = loss.metric.factor(list.size(), numbers.total);
        double value = 0.0;
        tile.for_own(team, [&](std::uint32_t i) {
          double& r = of.r[list.items.at(i)];
          const rank_term own = numbers.any > 0.0 ? loss.metric.term(list.items, i, r, factor, numbers.unit)
                                                  : rank_term{0.0, 0.0};
          value += own.value;
          r = own.slope;
        });
        of.sums.leave(team, list, tile, value);
      }
    };

    template <class T, class R>
    struct find_least {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        double own = greatest_number<double>;
        tile.for_own(team, [&](std::uint32_t i) {
          if (relevant_weight(list.items, i) > 0.0) own = fmin(own, of.r[list.items.at(i)]);
        });
        own = least(team, own);
        if (team.rank() == 0) of.least[list.tile + tile.index] = own;
      }
    };

    template <class T, class R>
    struct take_least {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
        double own = greatest_number<double>;
        for (std::uint32_t t = team.rank(); t < list.tiles(); t += team.size())
          own = fmin(own, of.least[list.tile + t]);
        own = least(team, own);
        if (team.rank() == 0) of.lists[list.at].first = own;
      }
    };

    [[nodiscard]] static __device__ bool is_first(const auto& list, const double* r, std::uint32_t i,
                                                  const list_numbers& numbers) {
      return relevant_weight(list.items, i) > 0.0 && r[list.items.at(i)] == numbers.first;
    }

    template <class T, class R>
    struct count_first {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const list_numbers numbers = of.lists[list.at];
        double own = 0.0;
        tile.for_own(team, [&](std::uint32_t i) { own += is_first(list, of.r, i, numbers) ? 1.0 : 0.0; });
        of.sums.leave(team, list, tile, own);
      }
    };

    template <class T, class R>
    struct find_value {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list) const {
        const double sum = of.sums.of(team, list);
        if (team.rank() != 0) return;
        list_numbers& numbers = of.lists[list.at];
        double value = 0.0;
        if constexpr (takes_first<Metric>) {
          const rank_term term = loss.metric.first_term(numbers.first);
          value = term.value;
          numbers.slope = term.slope / sum;
        } else {
          value = loss.metric.value(sum, loss.metric.factor(list.size(), numbers.total));
        }
        *list.value = numbers.any > 0.0 ? loss.loss_of(value) : 0.0;
      }
    };

    template <class T, class R>
    struct take_slopes {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const list_numbers numbers = of.lists[list.at];
        tile.for_own(team, [&](std::uint32_t i) {
          of.r[list.items.at(i)] = is_first(list, of.r, i, numbers) ? numbers.slope : 0.0;
        });
      }
    };
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
