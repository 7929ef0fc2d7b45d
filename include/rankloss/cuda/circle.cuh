// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/circle.hpp>
#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exponents of circle, by the formulas of cpu/circle.hpp.
template <class T>
struct circle_form {
  using number_type = exact_number<T>;

  circle loss;
  number_type to_positive, centre, margin, gamma;

  explicit circle_form(const circle& of)
      : loss(of),
        to_positive(number<number_type>(1.0 + of.margin)),
        centre(number<number_type>(1.0 - of.margin)),
        margin(number<number_type>(of.margin)),
        gamma(number<number_type>(of.gamma)) {}

  [[nodiscard]] __device__ number_type exponent(const number_type& s, bool positive) const {
    return gamma * weight(s, positive) * (positive ? centre - s : s - margin);
  }
  [[nodiscard]] __device__ T slope(const number_type& s, bool positive) const {
    const number_type a = weight(s, positive);
    if (loss.weights == circle_weights::constant) return positive ? -rounded(gamma * a) : rounded(gamma * a);
    if (!(rounded(a) > T{0})) return T{0};
    return rounded(gamma * (positive ? s - centre - a : s - margin + a));
  }
  [[nodiscard]] double reach() const {
    return loss.gamma < least_narrow_factor
               ? -1.0
               : std::sqrt(narrow_exponent / loss.gamma) - std::abs(loss.margin) - 1.0;
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
  [[nodiscard]] __device__ number_type weight(const number_type& s, bool positive) const {
    return not_below_0(positive ? to_positive - s : s + margin);
  }
};
template <class T>
using circle_lines = exponent_lines<T, circle_form>;

}  // namespace cuda::detail

template <>
struct engine<circle, cuda::context> : cuda::detail::line_engine<circle, cuda::detail::circle_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
