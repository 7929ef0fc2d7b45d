// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/chosen_items.cuh>
#include <rankloss/cuda/detail/gain_steps.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/metrics_of_ranks.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/stop_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/terms_of_ranks.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Metrics that are the term of the first relevant item, or terms of users who stop; others are sums of a
/// term of each item.
template <class Metric>
inline constexpr bool takes_first = requires(const metric_of_ranks<Metric>& metric) {
  metric.first_term(1.0);
};
template <class Metric>
inline constexpr bool sums_stops = requires(const metric_of_ranks<Metric>& metric) {
  metric.stop_term(1.0, 1.0, 1.0, 1.0);
};

/// Arrays that some metrics do not need.
struct no_arrays {
  template <class... Arguments>
  explicit no_arrays(const Arguments&...) {}
};

/// smooth_metric over long lists, by the grid: the units of the metric's numbers, and their total; ranks by
/// their own steps, of all items and where the metric asks for it of the relevant ones; terms; the pull.
template <class Metric>
struct smooth_metric_grid {
  using metric_type = metric_of_ranks<Metric>;
  static constexpr bool relevant_too = requires { requires Metric::needs_relevant_ranks; };
  static constexpr bool sorts = requires(const metric_type& metric) { metric.sorts(); };
  static constexpr bool has_units = requires(const metric_type& metric, const gain_units::numbers& most) {
    metric.units(most, true);
  };

  struct list_numbers {
    double total;  ///< of the amounts
    double first;  ///< the least rank of a relevant item
    double slope;  ///< by the rank of each that has it
  };

  /// In which units the numbers of a list are.
  template <class Compute, class T, class R>
  [[nodiscard]] static __device__ auto units_of(const Compute& loss, const gain_units& units,
                                                const grid_list<T, R>& list) {
    if constexpr (has_units)
      return loss.metric.units(units.most(list), list.items.weighted());
    else
      return 1.0;
  }

  /// The derivatives by the scores, of a loss that falls as the metric grows, or the other way round.
  /// `among`: those by way of the ranks of relevant items among themselves, in the order of the batch.
  struct to_gradient {
    double sign;
    const double* among;

    template <class T, class R>
    __device__ void operator()(const grid_list<T, R>& list, std::uint32_t i, double x) const {
      if constexpr (relevant_too)
        if (relevant_weight(list.items, i) > 0.0) x += among[list.items.at(i)];
      list.sink.put(i, held_as<T>(sign * x));
    }
  };

  template <template <class, class> class Steps>
  struct steps {
    static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

    /// Ranks of the relevant items among themselves.
    template <class T, class R>
    struct relevant_arrays {
      chosen_items<T, R> relevant;
      Steps<T, R> ranks;
      double *r, *pulled;  ///< [items] in the order of the batch: ranks, which become derivatives; their pull

      explicit relevant_arrays(tile_arrays& from)
          : relevant(from), ranks(from), r(from.of_items<double>()), pulled(from.of_items<double>()) {}
    };

    template <class T, class R>
    struct arrays {
      Steps<T, R> ranks;
      double* r;  ///< [items] ranks in the order of the batch, which become derivatives
      gain_units units_of_gains;
      tile_sums sums;
      double* least;  ///< [tiles] ranks
      product_units units;
      list_numbers* lists;                                            ///< [lists]
      std::conditional_t<sorts, falling_numbers, no_arrays> falling;  ///< the amounts
      std::conditional_t<relevant_too, relevant_arrays<T, R>, no_arrays> among;
      std::conditional_t<sums_stops<Metric>, stop_steps<T, R>, no_arrays> stops;

      explicit arrays(tile_arrays& from)
          : ranks(from),
            r(from.of_items<double>()),
            units_of_gains(from),
            sums(from),
            least(from.of_tiles<double>()),
            units(from),
            lists(from.of_lists<list_numbers>()),
            falling(from),
            among(from),
            stops(from, r, units_of_gains, sums) {}

      [[nodiscard]] __device__ bool any(const grid_list<T, R>& list) const {
        return units_of_gains.most(list).largest > 0.0;
      }
    };

    template <class Grid, class T, class R>
    static void run(const Grid& grid, const arrays<T, R>& of) {
      const auto& loss = grid.compute();
      find_units<T, R>(grid, of.units_of_gains);
      if constexpr (has_units) {
        grid.tiles("smooth_metric: sum_amounts", sum_amounts<T, R>{of});
        if constexpr (sorts)
          if (loss.metric.sorts()) {
            grid.sort(of.ranks.order.counts, {of.falling.sorted});
            grid.tiles("smooth_metric: sum_falling", sum_falling<T, R>{of});
          }
        grid.lists("smooth_metric: find_total", find_total<T, R>{of});
      }
      const to_array to_ranks{of.r};
      bool found = false;
      if constexpr (requires { of.ranks.values_of_cuts(grid, loss.ranks, to_ranks); })
        if ((found = loss.cuts)) of.ranks.values_of_cuts(grid, loss.ranks, to_ranks);
      if (!found) {
        of.ranks.prepare(grid, loss.ranks);
        of.ranks.values(grid, loss.ranks, to_ranks);
      }
      if (loss.compares) grid.tiles("smooth_metric: unite_scores", unite_scores<T, R>{of.ranks.order, of.r});
      if constexpr (relevant_too) {
        const Grid relevant = of.among.relevant.choose(grid);
        of.among.ranks.prepare(relevant, loss.ranks);
        of.among.ranks.values(relevant, loss.ranks, to_array{of.among.r});
        add_up(grid, of);
        if (!grid.gradient_wanted()) return;
        of.among.ranks.pull(relevant, loss.ranks,
                            of.units.measure(relevant, numbers_of_items<double>{of.among.r}),
                            of.units.undo(to_array{of.among.pulled}));
        pull(grid, of, of.among.pulled);
      } else {
        add_up(grid, of);
        if (grid.gradient_wanted()) pull(grid, of, nullptr);
      }
    }

    /// From ranks to the value, and to derivatives by ranks.
    template <class Grid, class T, class R>
    static void add_up(const Grid& grid, const arrays<T, R>& of) {
      if constexpr (takes_first<Metric>) {
        grid.tiles("smooth_metric: find_least", find_least<T, R>{of});
        grid.lists("smooth_metric: take_least", take_least<T, R>{of});
        grid.tiles("smooth_metric: count_first", count_first<T, R>{of});
      } else if constexpr (sums_stops<Metric>) {
        of.stops.run(grid, of.ranks.order.counts);
      } else {
        grid.tiles("smooth_metric: add_terms", add_terms<T, R>{of});
      }
      grid.lists("smooth_metric: find_value", find_value<T, R>{of});
      if constexpr (takes_first<Metric>) grid.tiles("smooth_metric: take_slopes", take_slopes<T, R>{of});
    }
    template <class Grid, class T, class R>
    static void pull(const Grid& grid, const arrays<T, R>& of, const double* among) {
      const auto& loss = grid.compute();
      of.ranks.pull(grid, loss.ranks, of.units.measure(grid, numbers_of_items<double>{of.r}),
                    of.units.undo(to_gradient{loss.sign, among}));
    }

    template <class T, class R>
    struct sum_amounts {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const auto units = units_of(loss, of.units_of_gains, list);
        double own = 0.0;
        tile.for_own(team, [&](std::uint32_t i) {
          const double x = loss.metric.amount(list.items, i, units);
          if constexpr (sorts) of.falling.put(list, i, x);
          own += x;
        });
        of.sums.leave(team, list, tile, own);
      }
    };

    template <class T, class R>
    struct sum_falling {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        of.sums.leave(team, list, tile,
                      of.falling.sum_own(team, list, tile, loss.metric.shares(list.size())));
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

    /// What the terms of a list are multiplied with or divided by.
    template <class Compute, class T, class R>
    [[nodiscard]] static __device__ double factor_of(const Compute& loss, const arrays<T, R>& of,
                                                     const grid_list<T, R>& list) {
      return loss.metric.factor(list.size(), has_units ? of.lists[list.at].total : 0.0);
    }

    template <class T, class R>
    struct add_terms {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const bool any = of.any(list);
        const auto units = units_of(loss, of.units_of_gains, list);
        const double factor = factor_of(loss, of, list);
        double value = 0.0;
        tile.for_own(team, [&](std::uint32_t i) {
          const std::size_t at = list.items.at(i);
          double& r = of.r[at];
          if (!(relevant_too ? relevant_weight(list.items, i) > 0.0 : any)) {
            r = 0.0;
            return;
          }
          const rank_term own = loss.metric.term(list.items, i, r, factor, units);
          if constexpr (relevant_too) {
            value += loss.metric.take_rank(own, r, of.among.r[at]);
          } else {
            value += own.value;
            r = own.slope;
          }
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
                                                  double first) {
      return relevant_weight(list.items, i) > 0.0 && r[list.items.at(i)] == first;
    }

    template <class T, class R>
    struct count_first {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const double first = of.lists[list.at].first;
        double own = 0.0;
        tile.for_own(team, [&](std::uint32_t i) { own += is_first(list, of.r, i, first) ? 1.0 : 0.0; });
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
        double value = 0.0;
        if constexpr (takes_first<Metric>) {
          const rank_term term = loss.metric.first_term(of.lists[list.at].first);
          value = term.value;
          of.lists[list.at].slope = term.slope / sum;
        } else if constexpr (sums_stops<Metric>) {
          value = sum;
        } else {
          value = loss.metric.value(sum, factor_of(loss, of, list));
        }
        *list.value = of.any(list) ? loss.loss_of(value) : 0.0;
      }
    };

    template <class T, class R>
    struct take_slopes {
      arrays<T, R> of;

      template <class Team, class Compute>
      __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                                 const grid_tile& tile) const {
        const double first = of.lists[list.at].first, slope = of.lists[list.at].slope;
        tile.for_own(team, [&](std::uint32_t i) {
          of.r[list.items.at(i)] = is_first(list, of.r, i, first) ? slope : 0.0;
        });
      }
    };
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
