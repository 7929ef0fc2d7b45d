// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/metrics/precision.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// precision of one list.
struct precision_list {
  std::size_t cutoff;
  bool over_retrieved;

  template <class T>
  static constexpr std::size_t item_bytes = sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static precision_list of(const metrics::precision& metric) {
    return {metric.cutoff, metric.over == metrics::precision_over::retrieved};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const falling_runs runs = runs_of_scores(team, items, keys, order);
    const std::uint32_t k = counted_by(cutoff, n);
    double found = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size())
      found += relevant_weight(items, order[p]) * runs.share_of_first(k, p);
    const bool shortened = cutoff == 0 || (over_retrieved && n < cutoff);
    return held_as<double>(sum(team, found)) / static_cast<double>(shortened ? n : cutoff);
  }
};

}  // namespace cuda::detail

template <>
struct engine<metrics::precision, cuda::context>
    : cuda::detail::list_engine<metrics::precision, cuda::detail::precision_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
