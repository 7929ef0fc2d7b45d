// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/pair_list.cuh>
#include <rankloss/cuda/detail/pair_weights.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tiles.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// pairwise of long lists, over the grid: the steps of pair_list, of which those that take O(n^2) are shared by
/// blocks with a few items each. What takes O(n) is done by one block. Where lanes of float do not hold the
/// sums, which is known once these are there, the steps are taken again in double; for other lists they then
/// do nothing.
template <class Function, class Weight>
struct pair_steps {
  static constexpr std::uint32_t longest_of_block = longest_paired_by_block;
  using list_type = pair_list<Function, Weight>;
  using plan = typename list_type::plan;
  using totals = typename list_type::totals;

  /// What is known of a list.
  struct list_numbers {
    plan made;
    typename list_type::result found;
    std::uint64_t tied;
    std::uint64_t lost;  ///< whether floats did not hold the sums
  };

  template <class T, class R>
  struct arrays {
    // Arrays of pair_arrays, with room for doubles; [items]
    double *sum, *bend, *own[2], *by_distance;
    pair_item<double>* item;
    std::uint32_t* rank;
    double* sums;         ///< [parts] of weight.sum_up
    std::uint64_t* tied;  ///< [parts] whether scores are tied
    totals* found;        ///< [parts]
    list_numbers* lists;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : sum(from.of_items<double>()),
          bend(from.of_items<double>()),
          own{list_type::weight_type::own > 0 ? from.of_items<double>() : nullptr,
              list_type::weight_type::own > 1 ? from.of_items<double>() : nullptr},
          by_distance(list_type::weight_type::by_distance > 0 ? from.of_items<double>() : nullptr),
          item(from.of_items<pair_item<double>>()),
          rank(from.of_items<std::uint32_t>()),
          sums(from.of_tiles<double>(parts_of_tile)),
          tied(from.of_tiles<std::uint64_t>(parts_of_tile)),
          found(from.of_tiles<totals>(parts_of_tile)),
          lists(from.of_lists<list_numbers>()) {}

    /// Those of a list, in lanes of S.
    template <class S>
    [[nodiscard]] __device__ pair_arrays<S> of_list(const grid_list<T, R>& list) const {
      pair_arrays<S> at{};
      at.sum = sum + list.first;
      if (list.sink.hessian_wanted()) at.bend = bend + list.first;
      const auto exact = [&](double* whole) {
        return reinterpret_cast<exact_number<S>*>(whole + list.first);
      };
      if constexpr (list_type::weight_type::own > 0) at.own[0] = exact(own[0]);
      if constexpr (list_type::weight_type::own > 1) at.own[1] = exact(own[1]);
      if constexpr (list_type::weight_type::by_distance > 0)
        at.by_distance = reinterpret_cast<S*>(by_distance + list.first);
      at.item = aligned<pair_item<S>>(item + list.first);  // smaller ones than for doubles, so there is room
      at.rank = rank + list.first;
      return at;
    }
    /// Calls body with the arrays of a list in its lanes.
    template <class Body>
    __device__ void with(const grid_list<T, R>& list, const plan& made, Body body) const {
      list_type::template in_lanes<T>(made, [&](auto lane) { body(of_list<decltype(lane)>(list)); });
    }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const auto find_sums = [&](bool again) {
      grid.lists("pairwise: prepare", prepare<T, R>{of, again});
      grid.parts("pairwise: rank_items", rank_items<T, R>{of, again});
      grid.parts("pairwise: fill_weights", fill_weights<T, R>{of, again});
      grid.parts("pairwise: sum_pairs", sum_pairs<T, R>{of, again});
      grid.lists("pairwise: find_value", find_value<T, R>{of, again});
    };
    find_sums(false);
    if constexpr (list_type::template takes_floats<T>) find_sums(true);
    if (grid.derivatives_wanted()) grid.parts("pairwise: put_derivatives", put_derivatives<T, R>{of});
  }

  template <class T, class R>
  struct prepare {
    arrays<T, R> of;
    bool again;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list) const {
      list_numbers& numbers = of.lists[list.at];
      if (again && numbers.lost == 0) return;
      plan made = again ? numbers.made : loss.plan_of(team, list.items);
      if (again) made.in_float = 0;
      team.sync();  // all have read it
      if (team.rank() == 0) numbers.made = made;
      of.with(list, made, [&](const auto& at) { loss.prepare(team, list.items, made, at); });
    }
  };

  /// And what the weights of pairs want to be summed up.
  template <class T, class R>
  struct rank_items {
    arrays<T, R> of;
    bool again;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (again && of.lists[list.at].lost == 0) return;
      const item_range range{part.begin, part.end};
      of.with(list, of.lists[list.at].made, [&](const auto& at) {
        const bool tied = loss.takes_item_order() && loss.rank_items(team, list.size(), range, at);
        const double all = sum(team, loss.weight.sum_up(team, at, list.size(), range));
        if (team.rank() != 0) return;
        of.tied[list.part() + part.index] = tied ? 1 : 0;
        of.sums[list.part() + part.index] = all;
      });
    }
  };

  template <class T, class R>
  struct fill_weights {
    arrays<T, R> of;
    bool again;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (again && of.lists[list.at].lost == 0) return;
      double all = 0.0;
      for (std::uint32_t p = team.rank(); p < list.parts(); p += team.size()) all += of.sums[list.part() + p];
      all = sum(team, all);
      const plan made = of.lists[list.at].made;
      of.with(list, made, [&](const auto& at) {
        loss.fill_weights(team, list.items, made, at, {part.begin, part.end}, all);
      });
    }
  };

  template <class T, class R>
  struct sum_pairs {
    arrays<T, R> of;
    bool again;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      if (again && of.lists[list.at].lost == 0) return;
      of.with(list, of.lists[list.at].made, [&](const auto& at) {
        const totals all = loss.sum_range(team, list.size(), at, {part.begin, part.end}).of_all(team);
        if (team.rank() == 0) of.found[list.part() + part.index] = all;
      });
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;
    bool again;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list) const {
      if (again && of.lists[list.at].lost == 0) return;
      totals all = totals::none();
      std::uint64_t tied = 0;
      for (std::uint32_t p = team.rank(); p < list.parts(); p += team.size()) {
        all = all.with(of.found[list.part() + p]);
        tied |= of.tied[list.part() + p];
      }
      all = all.of_all(team);
      tied = greatest(team, tied);
      if (team.rank() != 0) return;
      list_numbers& numbers = of.lists[list.at];
      const auto found = loss.result_of(all, numbers.made);
      numbers.found = found;
      numbers.tied = tied;
      numbers.lost = list_type::lost(numbers.made, all) ? 1 : 0;
      *list.value = found.value;
    }
  };

  template <class T, class R>
  struct put_derivatives {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const list_type& loss, const grid_list<T, R>& list,
                               const grid_tile& part) const {
      const list_numbers numbers = of.lists[list.at];
      of.with(list, numbers.made, [&](const auto& at) {
        loss.put(team, list.items, list.sink, at, {part.begin, part.end}, numbers.found, numbers.tied != 0);
      });
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
