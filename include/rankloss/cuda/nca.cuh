// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/distance.hpp>
#include <rankloss/nca.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exponents of nca, by the formulas of cpu/nca.hpp: without the distance at a score of 0 where all items
/// share it, so that scores that are close to each other keep their digits.
template <class T>
struct nca_form {
  using number_type = exact_number<T>;

  nca loss;
  number_type scale;  ///< of a Euclidean distance, else of a score
  number_type two;

  explicit nca_form(const nca& of)
      : loss(of),
        scale(number<number_type>(of.distance == distance::squared_euclidean ? 2.0 * of.scale : of.scale)),
        two(number<number_type>(2.0)) {}

  [[nodiscard]] __device__ number_type exponent(const number_type& s, bool) const {
    return loss.distance == distance::euclidean ? -(scale * distance_at(s)) : scale * s;
  }
  [[nodiscard]] __device__ T slope(const number_type& s, bool) const {
    if (loss.distance != distance::euclidean) return rounded(scale);
    const T d = rounded(distance_at(s));
    return d > T{0} ? quotient(rounded(scale), d) : T{0};
  }
  [[nodiscard]] double reach() const {
    if (loss.scale < least_narrow_factor) return -1.0;
    return loss.distance == distance::euclidean
               ? 0.5 * (narrow_exponent / loss.scale) * (narrow_exponent / loss.scale) - 1.0
               : 0.5 * narrow_exponent / loss.scale;
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

 private:
  [[nodiscard]] __device__ number_type distance_at(const number_type& s) const {
    return root_of(two - two * s);
  }
};
template <class T>
using nca_lines = exponent_lines<T, nca_form>;

}  // namespace cuda::detail

template <>
struct engine<nca, cuda::context> : cuda::detail::line_engine<nca, cuda::detail::nca_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
