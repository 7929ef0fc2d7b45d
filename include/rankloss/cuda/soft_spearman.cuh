// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/metrics_of_ranks.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/spearman_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/cuda/ranks/laplace_ranks.cuh>
#include <rankloss/cuda/ranks/projected_ranks.cuh>
#include <rankloss/cuda/ranks/sigmoid_ranks.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/soft_spearman.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// soft_spearman of one list: the ranks of both sides and their correlation; the gradient goes through the
/// pullback of the soft ranks.
template <class On>
struct soft_spearman_list {
  On ranks;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) +
                                            sizeof(std::uint32_t) + On::template item_bytes<T>;

  [[nodiscard]] static soft_spearman_list of(const auto& loss) { return {On::of(loss.ranks)}; }

  /// Whether n ranks count as equal, by the length of what they differ by from their mean: those that differ only by
  /// rounding do.
  [[nodiscard]] static __device__ bool are_equal(double size, std::uint32_t n) {
    return !(size > 1e-9 * static_cast<double>(n));
  }
  /// d(value) / d(rank) of ranks a and b less their means, whose lengths are the sizes.
  [[nodiscard]] static __device__ double slope(double a, double b, double rho, double size_a, double size_b) {
    return (rho * a / size_a - b / size_b) / size_a;
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    std::uint32_t differ = 0;
    for_own(team, n, [&](std::uint32_t i) { differ |= items.relevance(i) != items.relevance(0) ? 1u : 0u; });
    if (greatest(team, differ) == 0) return flat(team, n, sink, 0.0);

    double* const a = scratch.take<double>(n);
    double* const b = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const falling_runs runs(team, n, keys, order,
                            [&](std::uint32_t i) { return static_cast<double>(items.relevance(i)); });
    for_own(team, n, [&](std::uint32_t p) {
      b[order[p]] = 0.5 * static_cast<double>(runs.begin(p) + runs.end(p) + 1);
    });
    typename On::template result<T> soft(
        ranks, team, n, [&](std::uint32_t i) { return items.score(i); }, scratch);
    soft.values(team, [&](std::uint32_t i, double rank) { a[i] = rank; });
    soft.unite(team, a);
    team.sync();
    const double size_a = centre(team, n, a), size_b = centre(team, n, b);
    if (are_equal(size_a, n)) return flat(team, n, sink, 1.0);
    double product = 0.0;
    for_own(team, n, [&](std::uint32_t i) { product += a[i] * b[i]; });
    const double rho = sum(team, product) / (size_a * size_b);
    if (sink.wanted()) {
      for_own(team, n, [&](std::uint32_t i) { b[i] = slope(a[i], b[i], rho, size_a, size_b); });
      team.sync();
      soft.pull(team, b, [&](std::uint32_t i, double x) { sink.put(i, held_as<T>(x)); });
    }
    return 1.0 - rho;
  }

 private:
  /// The value of a list whose ranks on one side are all equal.
  template <class Team, class T>
  [[nodiscard]] static __device__ double flat(const Team& team, std::uint32_t n, const device_sink<T>& sink,
                                              double value) {
    if (sink.wanted()) for_own(team, n, [&](std::uint32_t i) { sink.put(i, T{0}); });
    return value;
  }
  /// Subtracts the mean, and returns the length of what is left. Every thread reads and writes items of its own.
  template <class Team>
  [[nodiscard]] static __device__ double centre(const Team& team, std::uint32_t n, double* x) {
    double total = 0.0, squares = 0.0;
    for_own(team, n, [&](std::uint32_t i) { total += x[i]; });
    const double mean = sum(team, total) / static_cast<double>(n);
    for_own(team, n, [&](std::uint32_t i) {
      x[i] -= mean;
      squares += x[i] * x[i];
    });
    return sqrt(sum(team, squares));
  }
};

}  // namespace cuda::detail

template <class Ranks>
requires requires { typename engine<Ranks, cuda::context>::on_list; }
struct engine<soft_spearman<Ranks>, cuda::context>
    : cuda::detail::list_engine<
          soft_spearman<Ranks>,
          cuda::detail::soft_spearman_list<typename engine<Ranks, cuda::context>::on_list>,
          typename engine<Ranks, cuda::context>::template over_grid_by<cuda::detail::spearman_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
