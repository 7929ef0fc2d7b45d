// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/sndcg_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/sndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// sndcg of one list.
struct sndcg_list {
  double temperature;
  gain_options gains;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 5 * sizeof(T) + sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static sndcg_list of(const sndcg& loss) {
    return {loss.temperature, gain_options::of(loss.gain, loss.gain_table, loss.ideal, loss.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    T* const x = scratch.take<T>(n);
    T* const g = scratch.take<T>(n);  // gains by item, which become derivatives by the ranks
    T* const slopes = scratch.take<T>(n);
    gains.fill(team, items, g);
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      x[i] = rankloss::detail::bounded(items.score(i));
    if constexpr (Team::one_warp)
      if (n <= longest_by_pairs<T>) {
        const double best = gains.ideal_dcg(team, g, n);
        if (!(best > 0.0)) return nothing(team, n, sink);
        team.sync();
        const pair_sums<T> sums(x, n, temperature);
        return differentiate(
            team, best, g, slopes, scratch.take<T>(n), static_cast<T*>(nullptr), sink,
            [&](auto emit) { sums.ranks(team, emit); }, sums, [](std::uint32_t i) { return i; });
      }
    T* const by_score = scratch.take<T>(n);
    T* const above = scratch.take<T>(n);
    auto* const decay = scratch.take<state_number<T>>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const auto number = [&](T* keys, const T* from) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        keys[i] = from[i];
        order[i] = i;
      }
    };
    number(above, g);
    sort_falling(team, n, above, order);
    const double best = gains.ideal_dcg_of_sorted(team, above, n, order);
    if (!(best > 0.0)) return nothing(team, n, sink);
    team.sync();
    number(x, x);
    sort_falling(team, n, x, order);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) by_score[i] = g[order[i]];
    const scan_sums<T> sums(team, x, n, temperature, decay, above);
    // Scores and gains by item are not needed any more.
    return differentiate(
        team, best, by_score, slopes, x, g, sink, [&](auto emit) { sums.ranks(team, slopes, emit); }, sums,
        [&](std::uint32_t i) { return order[i]; });
  }

  /// Adds an item of this rank to `sums`; `a` is its gain and becomes d(DCG) / d(rank). The rank is a double
  /// or two floats: the cut bends by up to 6 per rank, so that it would show what a float loses of it.
  template <class T, class Rank>
  __device__ void add_rank(rank_sums& sums, T& a, const Rank& rank, T slope_sum) const {
    const T argument = T{1} + static_cast<T>(rounded(rank));
    const T logarithm = log_of(argument);
    T value = quotient(a * static_cast<T>(0.6931471805599453), logarithm);
    T slope = quotient(-value, logarithm * argument);
    if (gains.cutoff > 0) {
      const auto cut = rankloss::detail::smooth_cut(exact_value(rank), static_cast<double>(gains.cutoff));
      slope = static_cast<T>(slope * cut.value + value * cut.slope);
      value = static_cast<T>(value * cut.value);
    }
    a = slope;
    sums.dcg += static_cast<double>(value);
    sums.mass += static_cast<double>(slope_sum);
    sums.moment += static_cast<double>(slope_sum) * static_cast<double>(slope);
  }
  /// d2(DCG) / d(rank)^2 of an item of gain g.
  template <class T, class Rank>
  [[nodiscard]] __device__ T curvature_of(T g, const Rank& rank) const {
    const T argument = T{1} + static_cast<T>(rounded(rank));
    const T by_logarithm = inverse(log_of(argument)), by_argument = inverse(argument);
    const T step = by_logarithm * by_argument;
    const T value = g * static_cast<T>(0.6931471805599453) * by_logarithm;
    const T slope = -value * step, curvature = value * step * (T{2} * step + by_argument);
    if (gains.cutoff == 0) return curvature;
    const auto cut = rankloss::detail::smooth_cut(exact_value(rank), static_cast<double>(gains.cutoff));
    return static_cast<T>(curvature * cut.value + T{2} * slope * cut.slope + value * cut.curvature);
  }
  /// The entry of the Hessian of the loss from that of the DCG in units of the temperature.
  [[nodiscard]] __device__ double curvature(double bend, double best) const {
    return slope(bend, best) / temperature;
  }
  /// The derivative of the loss from a pull through the ranks. The pull is divided by `best` first, which is of
  /// its size: the quotient of best and temperature may be beyond all doubles.
  [[nodiscard]] __device__ double slope(double pull, double best) const {
    return -(pull / best) / temperature;
  }

 private:
  template <class Team, class T>
  [[nodiscard]] static __device__ double nothing(const Team& team, std::uint32_t n,
                                                 const device_sink<T>& sink) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) sink.put_wanted(i, T{0}, T{0});
    return 0.0;
  }

  /// The loss from the ranks; `a` holds gains and becomes d(DCG) / d(rank). `item_of` is the item of a
  /// position; a2 and bends are scratch.
  template <class Team, class T, class Ranks, class Sums, class ItemOf>
  [[nodiscard]] __device__ double differentiate(const Team& team, double best, T* a, T* slopes, T* a2,
                                                T* bends, const device_sink<T>& sink, Ranks ranks,
                                                const Sums& sums, ItemOf item_of) const {
    rank_sums found{0.0, 0.0, 0.0};
    ranks([&](std::uint32_t i, const auto& rank, T slope_sum) {
      slopes[i] = slope_sum;
      if (sink.hessian_wanted()) a2[i] = curvature_of(a[i], rank);
      add_rank(found, a[i], rank, slope_sum);
    });
    found = found.of_all(team);
    if (sink.wanted())
      sums.pull(team, a, slopes, found.centre(), [&](std::uint32_t i, T pull) {
        sink.put(item_of(i), static_cast<T>(slope(static_cast<double>(pull), best)));
      });
    if (sink.hessian_wanted())
      sums.bend(team, a, a2, slopes, found.centre(), bends, [&](std::uint32_t i, T bend) {
        sink.put_hessian(item_of(i), held_as<T>(curvature(static_cast<double>(bend), best)));
      });
    return 1.0 - found.dcg / best;
  }
};

}  // namespace cuda::detail

template <>
struct engine<sndcg, cuda::context>
    : cuda::detail::list_engine<sndcg, cuda::detail::sndcg_list,
                                cuda::detail::over_grid<cuda::detail::sndcg_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
