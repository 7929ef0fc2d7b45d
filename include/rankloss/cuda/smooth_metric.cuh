// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/metrics_of_ranks.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/smooth_metric_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/cuda/ranks/laplace_ranks.cuh>
#include <rankloss/cuda/ranks/projected_ranks.cuh>
#include <rankloss/cuda/ranks/sigmoid_ranks.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/smooth_metric.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// smooth_metric of one list: the ranks of the scores, the metric as a function of the ranks, and the gradient
/// by the ranks' pullback.
template <class Metric, class On>
struct smooth_metric_list {
  metric_of_ranks<Metric> metric;
  On ranks;
  bool cuts;  ///< whether the metric has a cutoff, at which it bends by up to 6 per rank

  static constexpr bool relevant_too = requires { requires Metric::needs_relevant_ranks; };

  /// Three arrays and the ranks of the relevant items, where the metric looks at these too.
  template <class T>
  static constexpr std::size_t item_bytes =
      metric_of_ranks<Metric>::item_bytes + sizeof(double) + On::template item_bytes<T> +
      (relevant_too ? On::template item_bytes<T> + 2 * sizeof(double) + sizeof(std::uint32_t) : 0);

  [[nodiscard]] static smooth_metric_list of(const auto& loss) {
    bool cuts = false;
    if constexpr (requires { loss.metric.cutoff; }) cuts = loss.metric.cutoff > 0;
    return {metric_of_ranks<Metric>::of(loss.metric), On::of(loss.ranks), cuts};
  }
  [[nodiscard]] __device__ bool takes(double y) const {
    if constexpr (takes_relevance<metric_of_ranks<Metric>>)
      return metric.takes(y);
    else
      return true;
  }
  [[nodiscard]] __device__ bool counts(double y) const {
    if constexpr (counts_relevance<metric_of_ranks<Metric>>)
      return metric.counts(y);
    else
      return y > 0.0;
  }

  /// Whether an item is ranked among the relevant ones.
  template <class T, class R>
  [[nodiscard]] static __device__ bool chooses(const device_list<T, R>& items, std::uint32_t i) {
    return relevant_weight(items, i) > 0.0;
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    using result = typename On::template result<T>;
    const std::uint32_t n = items.size();
    std::uint32_t relevant = 0;
    for_own(team, n, [&](std::uint32_t i) {
      relevant |= items.weight(i) > 0.0 && counts(static_cast<double>(items.relevance(i))) ? 1u : 0u;
    });
    if (greatest(team, relevant) == 0) {
      if (sink.wanted()) for_own(team, n, [&](std::uint32_t i) { sink.put(i, T{0}); });
      return 0.0;
    }
    double* const r = scratch.take<double>(n);  // ranks by item, which become derivatives
    result soft(
        ranks, team, n, [&](std::uint32_t i) { return items.score(i); }, scratch);
    const auto keep = [&](std::uint32_t i, double rank) { r[i] = rank; };
    if constexpr (requires { soft.values_of_cuts(team, keep); })
      cuts ? soft.values_of_cuts(team, keep) : soft.values(team, keep);
    else
      soft.values(team, keep);
    if constexpr (compares) soft.unite(team, r);
    team.sync();
    double value = 0.0;
    if constexpr (relevant_too) {
      // The relevant items are ranked as a list of their own.
      double* const among = scratch.take<double>(n);
      double* const pulled = scratch.take<double>(n);
      std::uint32_t* const which = scratch.take<std::uint32_t>(n);
      const std::uint32_t count = keep_if(team, n, which, [&](std::uint32_t i) { return chooses(items, i); });
      result soft_among(
          ranks, team, count, [&](std::uint32_t k) { return items.score(which[k]); }, scratch);
      soft_among.values(team, [&](std::uint32_t k, double rank) { among[k] = rank; });
      team.sync();
      value = metric(team, items, r, which, among, count, scratch);
      if (sink.wanted()) {
        for_own(team, n, [&](std::uint32_t i) { pulled[i] = 0.0; });
        team.sync();
        soft_among.pull(team, among, [&](std::uint32_t k, double x) { pulled[which[k]] = x; });
        team.sync();
        soft.pull(team, r,
                  [&](std::uint32_t i, double x) { sink.put(i, held_as<T>(sign * (x + pulled[i]))); });
      }
    } else {
      value = metric(team, items, r, scratch);
      if (sink.wanted()) {
        // The derivatives of a metric that is multiplied by weights or gains may have any magnitude.
        const double unit = into_units(team, n, r);
        soft.pull(team, r, [&](std::uint32_t i, double x) { sink.put(i, held_as<T>(sign * x / unit)); });
      }
    }
    return loss_of(value);
  }

  static constexpr bool compares = requires { requires Metric::compares_ranks; };
  static constexpr bool less_is_better = requires { requires Metric::lower_is_better; };
  static constexpr double sign = less_is_better ? 1.0 : -1.0;
  [[nodiscard]] static __device__ double loss_of(double value) {
    if constexpr (less_is_better)
      return value;
    else
      return held_as<double>(Metric::best - value);
  }
};

}  // namespace cuda::detail

template <class Metric, class Ranks>
requires requires {
  sizeof(cuda::detail::metric_of_ranks<Metric>);
  typename engine<Ranks, cuda::context>::on_list;
}
struct engine<smooth_metric<Metric, Ranks>, cuda::context>
    : cuda::detail::list_engine<
          smooth_metric<Metric, Ranks>,
          cuda::detail::smooth_metric_list<Metric, typename engine<Ranks, cuda::context>::on_list>,
          typename engine<Ranks, cuda::context>::template over_grid_by<
              cuda::detail::smooth_metric_grid<Metric>::template steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
