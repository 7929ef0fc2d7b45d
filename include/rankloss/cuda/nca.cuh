// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/distance.hpp>
#include <rankloss/nca.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exponents of nca, by the formulas of cpu/nca.hpp: without the distance at a score of 0 where all items
/// share it, so that scores that are close to each other keep their digits.
struct nca_form {
  nca loss;

  [[nodiscard]] __device__ double exponent(double s, bool) const {
    return held_exponent(loss.distance == distance::euclidean
                             ? -loss.scale * distance_of(s, distance::euclidean)
                             : -loss.scale * distance_slope(s, loss.distance) * s);
  }
  [[nodiscard]] __device__ double slope(double s, bool) const {
    return -loss.scale * distance_slope(s, loss.distance);
  }
  /// Of a Euclidean distance -x / scale the derivative is its inverse.
  [[nodiscard]] __device__ double steepest_up_to(double exponent) const {
    const double steepest = steepest_of(loss.distance);
    return loss.scale * (loss.distance == distance::euclidean && exponent < 0.0
                             ? fmin(steepest, loss.scale / -exponent)
                             : steepest);
  }
  [[nodiscard]] __device__ exponent_outcome outcome(const exponent_sums& sums) const {
    const softplus_of odds(sums.log_odds());
    return {odds.value, -odds.slope, odds.slope};
  }
};
template <class T>
using nca_lines = exponent_lines<T, nca_form>;

}  // namespace cuda::detail

template <>
struct engine<nca, cuda::context> : cuda::detail::line_engine<nca, cuda::detail::nca_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
