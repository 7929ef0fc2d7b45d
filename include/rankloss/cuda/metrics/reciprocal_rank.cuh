// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// reciprocal_rank of one list.
struct reciprocal_rank_list {
  std::size_t cutoff;

  template <class T>
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static reciprocal_rank_list of(const metrics::reciprocal_rank& metric) {
    return {metric.cutoff};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch) const {
    const std::uint32_t n = items.size();
    // The best score of a relevant item; minus infinity is a score.
    T best = lowest_number<T>;
    bool any = false;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      if (relevant_weight(items, i) > 0.0) {
        best = any && items.score(i) < best ? best : items.score(i);
        any = true;
      }
    struct match {
      double score;
      std::uint64_t found;
    };
    const match first = combine_all(team, match{static_cast<double>(best), any ? 1u : 0u}, match{0.0, 0},
                                    [](const match& a, const match& b) {
                                      return a.found != 0 && (b.found == 0 || a.score >= b.score) ? a : b;
                                    });
    if (first.found == 0) return 0.0;
    std::uint32_t above = 0, tied = 0, matching = 0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const auto s = static_cast<double>(items.score(i));
      above += s > first.score ? 1 : 0;
      tied += s == first.score ? 1 : 0;
      matching += s == first.score && relevant_weight(items, i) > 0.0 ? 1 : 0;
    }
    above = sum(team, above);
    tied = sum(team, tied);
    matching = sum(team, matching);
    const std::uint32_t k = counted_by(cutoff, n);
    // The first match is at position p of the run with probability C(tied - p, matching - 1) / C(tied,
    // matching).
    double expected = 0.0;
    double probability = static_cast<double>(matching) / static_cast<double>(tied);
    for (std::uint32_t p = 1; above + p <= k && probability > 0.0; ++p) {
      expected += probability / static_cast<double>(above + p);
      probability = p + matching <= tied ? probability * static_cast<double>(tied - matching - p + 1) /
                                               static_cast<double>(tied - p)
                                         : 0.0;
    }
    return expected;
  }
};

}  // namespace cuda::detail

template <>
struct engine<metrics::reciprocal_rank, cuda::context>
    : cuda::detail::list_engine<metrics::reciprocal_rank, cuda::detail::reciprocal_rank_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
