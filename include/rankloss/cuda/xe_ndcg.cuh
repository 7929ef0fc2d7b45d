// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/random_bits.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/xe_ndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// xe_ndcg of one list: computes the target, see cpu/xe_ndcg.hpp.
struct xe_ndcg_list {
  xe_ndcg loss;

  template <class T>
  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  [[nodiscard]] static xe_ndcg_list of(const xe_ndcg& loss) { return {loss}; }
  [[nodiscard]] __device__ bool takes(double y) const { return loss.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const v = scratch.take<double>(n);
    double* const e = scratch.take<double>(n);
    const bool constant = loss.gammas == rankloss::gammas::constant;
    const auto gamma = [&](std::uint32_t i) {
      return constant ? loss.gamma
                      : (static_cast<double>(random_bits(loss.seed, items.number, i)) + 0.5) * 0x1p-32;
    };
    double most = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      most = fmax(most, static_cast<double>(items.relevance(i)));
    most = greatest(team, most);
    // All terms are divided by 2^shift, which cancels because they are normalised to sum 1. Differences of
    // exponents are bounded by -1000, where the power is negligible.
    const double shift = most > 100.0 ? most : 0.0;
    const double unit = exp2(fmax(-shift, -1000.0));
    // With a gamma of 1 the gains of very small relevance are proportional to it.
    const bool small = constant && loss.gamma == 1.0 && most < 1e-100;
    const softmax_target target =
        fill_target(team, items, small, v, [&](std::uint32_t i, double y, double relevance_unit) {
          y = fmax(y, 0.0);
          if (small) return y * relevance_unit;
          const double left = shift > 0.0 ? exp2(fmax(y - shift, -1000.0)) - gamma(i) * unit
                                          // 2^y - 1 + (1 - gamma) keeps the digits of small y.
                                          : exp2_minus_1(y) + (1.0 - gamma(i));
          return fmax(left, 0.0);
        });
    return softmax_loss(team, items, sink, v, e, target.total, 1.0, 0.0, loss.temperature);
  }
};

}  // namespace cuda::detail

template <>
struct engine<xe_ndcg, cuda::context> : cuda::detail::list_engine<xe_ndcg, cuda::detail::xe_ndcg_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
