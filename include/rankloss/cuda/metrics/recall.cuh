// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/recall.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// recall of one list. Both sums are in the same order, so the value is exactly 1 if no item is missed.
struct recall_list {
  std::size_t cutoff;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static recall_list of(const metrics::recall& metric) { return {metric.cutoff}; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    double heaviest = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      heaviest = fmax(heaviest, relevant_weight(items, i));
    heaviest = greatest(team, heaviest);
    if (!(heaviest > 0.0)) return 0.0;
    const double unit = unit_of(heaviest);
    const falling_runs runs = runs_of_scores(team, items, keys, order);
    const std::uint32_t k = counted_by(cutoff, n);
    double found = 0.0, total = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      const double w = relevant_weight(items, order[p]) * unit;
      total += w;
      found += w * runs.share_of_first(k, p);
    }
    total = sum(team, total);
    return sum(team, found) / total;
  }
};

}  // namespace cuda::detail

template <>
struct engine<metrics::recall, cuda::context>
    : cuda::detail::list_engine<metrics::recall, cuda::detail::recall_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
