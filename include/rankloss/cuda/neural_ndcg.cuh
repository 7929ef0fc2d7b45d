// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/neural_ndcg_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/sinkhorn_band.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/neural_ndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// neural_ndcg of one list.
struct neural_ndcg_list {
  gain_options gains;
  sinkhorn_options scaling;

  template <class T>
  static constexpr std::size_t item_bytes = sinkhorn_options::item_bytes<T> + sizeof(T) + 3 * sizeof(double) +
                                            sizeof(std::uint32_t);
  [[nodiscard]] static std::size_t kept_bytes(const neural_ndcg& loss, std::size_t) {
    return scaling_of(loss).kept_bytes();
  }

  [[nodiscard]] static neural_ndcg_list of(const neural_ndcg& loss) {
    return {gain_options::of(loss.gain, loss.gain_table, ideal::sorted, loss.cutoff), scaling_of(loss)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }
  [[nodiscard]] __device__ double discount(std::uint32_t position) const {
    if (gains.cutoff > 0 && position >= gains.cutoff) return 0.0;
    return 0.6931471805599453 / log(static_cast<double>(position) + 2.0);
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch,
                                             team_scratch kept) const {
    return scaling.with_arrays<T>(
        items.size(), scratch, kept, false,
        [&](const auto& arrays, team_scratch rest) { return compute(team, items, sink, arrays, rest); });
  }

 private:
  [[nodiscard]] static sinkhorn_options scaling_of(const neural_ndcg& loss) {
    return sinkhorn_options::of(loss.temperature, loss.steps, loss.tolerance, loss.derivative);
  }

  template <class Team, class T, class R, class E>
  [[nodiscard]] __device__ double compute(const Team& team, const device_list<T, R>& items,
                                          const device_sink<T>& sink, const sinkhorn_arrays<E>& arrays,
                                          team_scratch scratch) const {
    const std::uint32_t n = items.size();
    T* const x = scratch.take<T>(n);
    double* const sums = scratch.take<double>(n);
    double* const moments = scratch.take<double>(n);
    double* const prefix = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    double* const by_item = sums;
    double* const falling = moments;
    gains.fill(team, items, by_item);
    for_own([&](std::uint32_t i) {
      falling[i] = by_item[i];
      order[i] = i;
    });
    sort_falling(team, n, falling, order);
    const double best = gains.ideal_dcg_of_sorted(team, falling, n, order);
    if (!(best > 0.0)) {
      if (sink.wanted()) for_own([&](std::uint32_t i) { sink.put(i, T{0}); });
      return 0.0;
    }
    const runs_of<T> scores(team, n, x, order,
                            [&](std::uint32_t i) { return rankloss::detail::bounded(items.score(i)); });
    const double unit = unit_of_gains(best);
    for_own([&](std::uint32_t p) { arrays.values[p] = number<state_number<E>>(by_item[order[p]] * unit); });
    const neural_band<E> band(team, x, n, scaling.temperature, arrays.gaps);
    const sinkhorn_band<E> matrix(team, band, scaling, arrays, sink.wanted());
    double dcg = 0.0;
    for_own([&](std::uint32_t p) {
      const auto product = matrix.product_of(p);
      const double weight = discount(p);
      arrays.product[p] = product;
      arrays.weights[p] = number<state_number<E>>(weight);
      dcg += exact_value(product) * weight;
    });
    dcg = sum(team, dcg);
    if (sink.wanted()) {
      matrix.pull(team, sums, moments);
      neural_gradient(
          team, scores, n, scaling.temperature, sums, moments, prefix,
          [&](std::uint32_t p, double slope) { sink.put(order[p], held_as<T>(-slope / (best * unit))); });
    }
    return 1.0 - dcg / (best * unit);
  }
};

}  // namespace cuda::detail

template <>
struct engine<neural_ndcg, cuda::context>
    : cuda::detail::list_engine<neural_ndcg, cuda::detail::neural_ndcg_list,
                                cuda::detail::over_grid<cuda::detail::neural_ndcg_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
