// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/random_bits.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/softmax_steps.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/xe_ndcg.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The target of xe_ndcg, see cpu/xe_ndcg.hpp. All terms are divided by 2^shift, which cancels because they are
/// normalised to sum 1. Differences of exponents are bounded by -1000, where the power is negligible.
struct xe_ndcg_target {
  bool constant,
      small;  ///< small: with a gamma of 1 the gains of very small relevance are proportional to it
  double gamma, shift, unit;
  std::uint64_t seed, list;

  [[nodiscard]] static __device__ xe_ndcg_target of(const xe_ndcg& loss, double most, std::uint64_t list) {
    most = fmax(most, 0.0);
    const bool constant = loss.gammas == rankloss::gammas::constant;
    const double shift = most > 100.0 ? most : 0.0;
    return {constant,
            constant && loss.gamma == 1.0 && most < 1e-100,
            loss.gamma,
            shift,
            exp2(fmax(-shift, -1000.0)),
            loss.seed,
            list};
  }
  [[nodiscard]] __device__ bool scales() const { return small; }
  [[nodiscard]] __device__ double operator()(std::uint32_t i, double y, double relevance_unit) const {
    y = fmax(y, 0.0);
    if (small) return y * relevance_unit;
    const double own = constant ? gamma : (static_cast<double>(random_bits(seed, list, i)) + 0.5) * 0x1p-32;
    const double left = shift > 0.0 ? exp2(fmax(y - shift, -1000.0)) - own * unit
                                    // 2^y - 1 + (1 - gamma) keeps the digits of small y.
                                    : exp2_minus_1(y) + (1.0 - own);
    return fmax(left, 0.0);
  }
};

/// xe_ndcg of one list.
struct xe_ndcg_list {
  xe_ndcg loss;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  [[nodiscard]] static xe_ndcg_list of(const xe_ndcg& loss) { return {loss}; }
  [[nodiscard]] __device__ bool takes(double y) const { return loss.takes(y); }

  [[nodiscard]] __device__ bool needs_greatest() const { return true; }
  template <class T, class R>
  [[nodiscard]] __device__ double decisive(const device_list<T, R>& items, std::uint32_t i) const {
    return static_cast<double>(items.relevance(i));
  }
  template <class T>
  [[nodiscard]] __device__ xe_ndcg_target target(double most, std::uint64_t list) const {
    return xe_ndcg_target::of(loss, most, list);
  }
  [[nodiscard]] __device__ double mass(const softmax_target&) const { return 1.0; }
  [[nodiscard]] __device__ double poly() const { return 0.0; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    return loss_of_target(*this, team, items, sink, scratch);
  }
};

}  // namespace cuda::detail

template <>
struct engine<xe_ndcg, cuda::context>
    : cuda::detail::list_engine<xe_ndcg, cuda::detail::xe_ndcg_list,
                                cuda::detail::over_grid<cuda::detail::softmax_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
