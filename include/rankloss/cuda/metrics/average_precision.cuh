// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/average_precision.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Writes the weights of the relevant items, up to a common factor, and 0 for the others; returns the divisor of
/// average precision. `keys` and `order` are scratch.
template <class Team, class T, class R>
[[nodiscard]] __device__ inline double share_relevant(const Team& team, const device_list<T, R>& items,
                                                      std::size_t cutoff, bool attainable, double* w,
                                                      double* keys, std::uint32_t* order) {
  const std::uint32_t n = items.size();
  const auto for_own = [&](auto body) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
  };
  double heaviest = 0.0;
  for_own([&](std::uint32_t i) {
    w[i] = relevant_weight(items, i);
    heaviest = fmax(heaviest, w[i]);
  });
  const double unit = unit_of(greatest(team, heaviest));
  double total = 0.0;
  for_own([&](std::uint32_t i) { total += w[i] *= unit; });
  if (attainable && cutoff > 0 && cutoff < n) {
    // The k greatest weights.
    const falling_runs by_weight(team, n, keys, order, [&](std::uint32_t i) { return w[i]; });
    total = 0.0;
    for_own([&](std::uint32_t p) { total += p < cutoff ? by_weight.keys[p] : 0.0; });
  }
  return sum(team, total);
}

/// average_precision of one list.
struct average_precision_list {
  std::size_t cutoff;
  bool attainable;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) + 2 * sizeof(std::uint32_t);

  [[nodiscard]] static average_precision_list of(const metrics::average_precision& metric) {
    return {metric.cutoff, metric.over == metrics::average_precision_over::attainable};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const w = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    double* const weights = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    std::uint32_t* const relevant = scratch.take<std::uint32_t>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    const double total = share_relevant(team, items, cutoff, attainable, w, keys, order);
    if (!(total > 0.0)) return 0.0;

    const falling_runs runs = runs_of_scores(team, items, keys, order);
    runs.sum_runs(team, weights, [&](std::uint32_t p) { return w[order[p]]; });
    scan_items(
        team, n, std::uint32_t{0},
        [&](std::uint32_t p) { return std::uint32_t{w[order[p]] > 0.0 ? 1u : 0u}; },
        [](std::uint32_t a, std::uint32_t b) { return a + b; },
        [&](std::uint32_t p, std::uint32_t up_to) { relevant[p] = up_to; });
    team.sync();
    const std::uint32_t k = counted_by(cutoff, n);
    double precisions = 0.0;
    for_own([&](std::uint32_t p) {
      if (p >= k) return;
      const std::uint32_t begin = runs.begin(p), end = runs.end(p);
      const std::uint32_t above = begin > 0 ? relevant[begin - 1] : 0;
      const std::uint32_t inside = relevant[end - 1] - above;
      if (inside == 0) return;
      // A relevant item is equally often at each position of the run, and then each position before it holds
      // another relevant item with this probability.
      const double density =
          end - begin > 1 ? static_cast<double>(inside - 1) / static_cast<double>(end - begin - 1) : 0.0;
      const double precision = (static_cast<double>(above + 1) + density * static_cast<double>(p - begin)) /
                               static_cast<double>(p + 1);
      precisions += weights[end - 1] * precision / static_cast<double>(end - begin);
    });
    return sum(team, precisions) / total;
  }
};

}  // namespace cuda::detail

template <>
struct engine<metrics::average_precision, cuda::context>
    : cuda::detail::list_engine<metrics::average_precision, cuda::detail::average_precision_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
