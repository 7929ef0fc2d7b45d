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
template <class S>
struct xe_ndcg_target {
  bool constant,
      small;      ///< with a gamma of 1 the gains of very small relevance are proportional to it
  S gamma, rest;  ///< rest: 1 - gamma
  S shift, unit;
  std::uint64_t seed, list;

  [[nodiscard]] static __device__ xe_ndcg_target of(const xe_ndcg& loss, S most, std::uint64_t list) {
    most = most > S{0} ? most : S{0};
    const bool constant = loss.gammas == rankloss::gammas::constant;
    // Lanes of float hold no such numbers.
    constexpr auto tiny = static_cast<S>(sizeof(S) == sizeof(double) ? 1e-100 : 0.0);
    const S shift = most > S{100} ? most : S{0};
    return {constant,
            constant && loss.gamma == 1.0 && most < tiny,
            static_cast<S>(loss.gamma),
            static_cast<S>(1.0 - loss.gamma),
            shift,
            exp2(-shift > S{-1000} ? -shift : S{-1000}),
            loss.seed,
            list};
  }
  [[nodiscard]] __device__ bool scales() const { return small; }
  [[nodiscard]] __device__ S operator()(std::uint32_t i, S y, S relevance_unit) const {
    y = y > S{0} ? y : S{0};
    if (small) return y * relevance_unit;
    // A gamma is the number of the bits, and a half, of 2^32; what is left of 1 has all its digits.
    const S left = constant ? rest : (static_cast<S>(~random_bits(seed, list, i)) + S{0.5}) * S{0x1p-32};
    // 2^y - 1 + (1 - gamma) keeps the digits of small y.
    if (!(shift > S{0})) return fmax(exp2_minus_1(y) + left, S{0});
    const S below = y - shift;
    return fmax(exp2(below > S{-1000} ? below : S{-1000}) - (constant ? gamma : S{1} - left) * unit, S{0});
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
  template <class S, class T, class R>
  [[nodiscard]] __device__ S decisive(const device_list<T, R>& items, std::uint32_t i) const {
    return static_cast<S>(items.relevance(i));
  }
  template <class T, class S>
  [[nodiscard]] __device__ xe_ndcg_target<S> target(S most, std::uint64_t list) const {
    return xe_ndcg_target<S>::of(loss, most, list);
  }
  template <class S>
  [[nodiscard]] __device__ S mass(S) const {
    return S{1};
  }
  [[nodiscard]] __device__ bool takes_floats() const {
    return float_bounds::takes_temperature(loss.temperature);
  }
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
