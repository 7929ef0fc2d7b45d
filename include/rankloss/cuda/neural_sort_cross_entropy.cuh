// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/neural_band.cuh>
#include <rankloss/cuda/detail/neural_sort_cross_entropy_steps.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// neural_sort_cross_entropy of one list: two bands, one after the other, as on the CPU.
struct neural_sort_cross_entropy_list {
  neural_sort_cross_entropy loss;

  template <class T>
  static constexpr std::size_t item_bytes = 2 * sizeof(T) + 6 * sizeof(double) + 2 * sizeof(std::uint32_t);

  [[nodiscard]] static neural_sort_cross_entropy_list of(const neural_sort_cross_entropy& loss) {
    return {loss};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    T* const gaps = scratch.take<T>(n);
    double* const numbers = scratch.take<double>(n);  // the relevance, and then the scores
    T* const inverse = scratch.take<T>(n);
    const target_columns target{scratch.take<double>(n), scratch.take<double>(n),
                                scratch.take<std::uint32_t>(n)};
    double* const sums = scratch.take<double>(n);
    double* const moments = scratch.take<double>(n);
    double* const prefix = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    {
      using key = std::conditional_t<sizeof(R) <= sizeof(std::uint32_t), R, double>;
      const runs_of<key> relevance(team, n, reinterpret_cast<key*>(numbers), order,
                                   [&](std::uint32_t i) { return static_cast<key>(items.relevance(i)); });
      const neural_band<T> band(team, relevance.keys, n, loss.relevance_temperature, gaps);
      column_sums(team, band, inverse,
                  [&](std::uint32_t q, const auto& own) { target.put(order[q], q, own); });
    }
    T* const x = reinterpret_cast<T*>(numbers);
    const runs_of<T> scores(team, n, x, order,
                            [&](std::uint32_t i) { return rankloss::detail::bounded(items.score(i)); });
    const neural_band<T> band(team, x, n, loss.temperature, gaps);
    // The sums and moments of D = P - Q, whose rows sum to 0.
    column_sums(team, band, inverse, [&](std::uint32_t j, const auto& own) {
      sums[j] = own.sum - target.sums[order[j]];
      moments[j] = own.moment - target.moment_about(j, order[j]);
    });
    const double count = static_cast<double>(n);
    const double value =
        held_as<double>(of_scores(team, n, x, order, target, prefix) + of_row_sums(team, n, inverse) / count);
    if (sink.wanted())
      neural_gradient(team, scores, n, loss.temperature, sums, moments, prefix,
                      [&](std::uint32_t j, double slope) { sink.put(order[j], held_as<T>(slope / count)); });
    return value;
  }

 private:
  /// Calls emit(j, column) with the sums and moments of the columns of the soft permutation. `inverse`
  /// becomes the inverse row sums of the band.
  template <class Team, class E, class Emit>
  static __device__ void column_sums(const Team& team, const neural_band<E>& band, E* inverse, Emit emit) {
    for (std::uint32_t i = team.rank(); i < band.size(); i += team.size()) inverse[i] = band.share(i);
    team.sync();
    for (std::uint32_t j = team.rank(); j < band.size(); j += team.size())
      emit(j, band.moments_of_shares(j, inverse));
    team.sync();
  }

  template <class Team, class E>
  [[nodiscard]] static __device__ double of_row_sums(const Team& team, std::uint32_t n, const E* inverse) {
    double own = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      own -= static_cast<double>(log_of(inverse[i]));
    return sum(team, own);
  }

  /// What the scores add to the value. `prefix` is scratch.
  template <class Team, class T>
  [[nodiscard]] __device__ double of_scores(const Team& team, std::uint32_t n, const T* x,
                                            const std::uint32_t* order, const target_columns& target,
                                            double* prefix) const {
    const auto own = [&](std::uint32_t j) {
      return score_distances::own(static_cast<double>(x[j]), static_cast<double>(x[n / 2]));
    };
    const double total = scan_items(
        team, n, 0.0, own, [](double a, double b) { return a + b; },
        [&](std::uint32_t j, double up_to) { prefix[j] = up_to; });
    double distances = 0.0;
    for (std::uint32_t j = team.rank(); j < n; j += team.size())
      distances += score_distances::term(j, order[j], own(j), prefix[j], total, target);
    return score_distances::value(sum(team, distances), n, loss.temperature);
  }
};

}  // namespace cuda::detail

template <>
struct engine<neural_sort_cross_entropy, cuda::context>
    : cuda::detail::list_engine<neural_sort_cross_entropy, cuda::detail::neural_sort_cross_entropy_list,
                                cuda::detail::over_grid<cuda::detail::neural_sort_cross_entropy_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
