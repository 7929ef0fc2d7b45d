// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/triplet.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::bounded;
using rankloss::detail::held_as;
using rankloss::detail::is_finite;

/// What a triplet costs, by which slope, and whether it costs anything.
struct triplet_cost_of {
  double value, slope, active;
};

/// What a triplet loss makes of a positive and a negative: see cpu/triplet.hpp and detail/pairs/triplet_terms.hpp.
struct triplet_terms {
  triplet loss;

  /// A query whose scores are distances less than 0: cosines need no change.
  [[nodiscard]] __device__ double minus_distance(double s) const {
    if (loss.distance == distance::cosine) return s;
    if (!is_finite(s) &&
        (rankloss::detail::is_minus_infinity(s) || loss.distance == distance::squared_euclidean))
      return s;
    return loss.distance == distance::squared_euclidean
               ? held_as<double>(2.0 * s)
               : -held_as<double>(distance_of(bounded(s), loss.distance));
  }
  /// By how much a triplet falls short of the margin. Scores are subtracted first, because the difference of
  /// close scores is exact. A positive of +infinity never falls short, and neither does a negative of -infinity.
  [[nodiscard]] __device__ double shortfall(double negative, double positive) const {
    constexpr double largest = 1e290;
    if (is_finite(negative) && is_finite(positive)) return fmin(loss.margin + (negative - positive), largest);
    if (rankloss::detail::is_minus_infinity(negative) ||
        (!is_finite(positive) && !rankloss::detail::is_minus_infinity(positive)))
      return -largest;
    return __builtin_bit_cast(double, rankloss::detail::bits_of_infinity<double>);
  }
  [[nodiscard]] __device__ triplet_cost_of cost(double x) const {
    if (loss.form == triplet_form::hinge)
      return x > 0.0 ? triplet_cost_of{x, 1.0, 1.0} : triplet_cost_of{0.0, 0.0, 0.0};
    const rankloss::detail::softplus_of own(x);
    return {own.value, own.slope, 1.0};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
