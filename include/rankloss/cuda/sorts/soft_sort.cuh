// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/distance_sums.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/sort_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/sorts/soft_sort.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// soft_sort of one list: rows are ratios of the sums of distance_sums.cuh, along the sorted scores.
struct soft_sort_list {
  soft_sort how;

  template <class T>
  static constexpr std::size_t item_bytes = distance_sums<T>::item_bytes + 5 * sizeof(double) +
                                            sizeof(std::uint32_t);

  [[nodiscard]] static soft_sort_list of(const soft_sort& how) { return {how}; }

  template <class T, class Team, class Score, class Emit>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, team_scratch scratch) const {
    using kernel_sums = typename distance_sums<T>::sums;
    double* const x = scratch.take<double>(n);
    double* const by_position = scratch.take<double>(n);
    double* const weights = scratch.take<double>(n);
    double* const rests = scratch.take<double>(n);
    double* const as_row = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const falling_runs scores(team, n, x, order,
                              [&](std::uint32_t i) { return static_cast<double>(score(i)); });
    if (how.forward == sort_forward::hard && what != sort_product::pullback) {
      for (std::uint32_t p = team.rank(); p < n; p += team.size())
        what == sort_product::apply ? emit(p, v[order[p]]) : emit(order[p], v[p]);
      return;
    }
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) by_position[p] = v[order[p]];
    const distance_sums<T> sums(team, scores, n, how.distance == sort_distance::squared,
                                1.0 / how.temperature, scratch);
    const auto one = [](std::uint32_t) { return 1.0; };
    const auto zero = [](std::uint32_t) { return 0.0; };
    const auto value = [&](std::uint32_t p) { return by_position[p]; };
    const auto weight = [&](std::uint32_t p) { return weights[p]; };
    switch (what) {
      case sort_product::apply:
        sums.for_items(team, one, zero, value,
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums&) {
                         emit(p, by_position[p] + row.moved / row.mass);
                       });
        break;
      case sort_product::transposed:
        sums.for_items(team, one, zero, zero,
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums&) {
                         weights[p] = v[p] / row.mass;
                       });
        sums.for_items(team, weight, zero, zero,
                       [&](std::uint32_t p, const kernel_sums& column, const kernel_sums&) {
                         emit(order[p], column.mass);
                       });
        break;
      default:
        sums.for_items(team, one, zero, value,
                       [&](std::uint32_t p, const kernel_sums& row, const kernel_sums& sided) {
                         const double moved = row.moved / row.mass;
                         weights[p] = c[p] / row.mass;
                         rests[p] = weights[p] * moved;
                         as_row[p] = weights[p] * (sided.moved - moved * sided.mass);
                       });
        sums.for_items(
            team, weight, [&](std::uint32_t p) { return rests[p]; }, value,
            [&](std::uint32_t p, const kernel_sums&, const kernel_sums& sided) {
              emit(order[p], (sided.moved - as_row[p]) / how.temperature);
            });
    }
  }
};

}  // namespace cuda::detail

template <>
struct engine<soft_sort, cuda::context> : cuda::detail::sort_engine<soft_sort, cuda::detail::soft_sort_list> {
};

}  // namespace rankloss::inline RANKLOSS_ABI
