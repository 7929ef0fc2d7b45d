// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/ndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The discount of a position of which k count.
struct counted_discount {
  std::uint32_t k;

  [[nodiscard]] __device__ double operator()(std::uint32_t position) const {
    return position < k ? 1.0 / log2(2.0 + static_cast<double>(position)) : 0.0;
  }
};

/// The DCG of a best order of gains g. `keys` and `order` are scratch.
template <class Team>
[[nodiscard]] __device__ inline double best_dcg(const Team& team, const gain_options& gains, const double* g,
                                                std::uint32_t n, double* keys, std::uint32_t* order) {
  const counted_discount discount{counted_by(gains.cutoff, n)};
  const falling_runs runs(team, n, keys, order, [&](std::uint32_t i) { return g[i]; });
  double best = 0.0;
  for (std::uint32_t p = team.rank(); p < n; p += team.size())
    best += runs.keys[p] * discount(gains.how == ideal::competition_ranks ? runs.begin(p) : p);
  return sum(team, best);
}

/// ndcg of one list. The DCG and its ideal are summed in the same order, so an ideal order without ties has
/// exactly 1.
struct ndcg_list {
  gain_options gains;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static ndcg_list of(const metrics::ndcg& metric) {
    return {gain_options::of(metric.gain, metric.gain_table, metric.ideal, metric.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const g = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    double* const sums = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    gains.fill(team, items, g);
    const double best = best_dcg(team, gains, g, n, keys, order);
    if (!(best > 0.0)) return 0.0;
    const falling_runs runs = runs_of_scores(team, items, keys, order);
    runs.sum_runs(team, sums, counted_discount{counted_by(gains.cutoff, n)});
    double dcg = 0.0;
    for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
      const std::uint32_t end = runs.end(p);
      dcg += g[order[p]] * (sums[end - 1] / static_cast<double>(end - runs.begin(p)));
    }
    return sum(team, dcg) / best;
  }
};

}  // namespace cuda::detail

template <>
struct engine<metrics::ndcg, cuda::context>
    : cuda::detail::list_engine<metrics::ndcg, cuda::detail::ndcg_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
