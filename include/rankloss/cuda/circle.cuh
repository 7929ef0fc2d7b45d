// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/circle.hpp>
#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exponents of circle, by the formulas of cpu/circle.hpp.
struct circle_form {
  circle loss;

  [[nodiscard]] __device__ double exponent(double s, bool positive) const {
    return held_exponent(loss.gamma * weight(s, positive) *
                         (positive ? 1.0 - loss.margin - s : s - loss.margin));
  }
  [[nodiscard]] __device__ double slope(double s, bool positive) const {
    const double a = weight(s, positive);
    if (loss.weights == circle_weights::constant) return positive ? -loss.gamma * a : loss.gamma * a;
    if (!(a > 0.0)) return 0.0;
    return loss.gamma * (positive ? s - (1.0 - loss.margin) - a : s - loss.margin + a);
  }
  /// From how far s may be from 1, or from 0: x / gamma + margin^2 is the square of that.
  [[nodiscard]] __device__ double steepest_up_to(double exponent) const {
    return 2.0 * (sqrt(fmin(fabs(exponent), largest_term) * loss.gamma) + loss.gamma * fabs(loss.margin));
  }
  [[nodiscard]] __device__ exponent_outcome outcome(const exponent_sums& sums) const {
    const softplus_of both(sums.positives.logarithm() + sums.negatives.logarithm());
    return {both.value, both.slope, both.slope};
  }

 private:
  [[nodiscard]] __device__ double weight(double s, bool positive) const {
    return fmax(positive ? 1.0 + loss.margin - s : s + loss.margin, 0.0);
  }
};
template <class T>
using circle_lines = exponent_lines<T, circle_form>;

}  // namespace cuda::detail

template <>
struct engine<circle, cuda::context> : cuda::detail::line_engine<circle, cuda::detail::circle_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
