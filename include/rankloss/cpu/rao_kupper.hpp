// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cpu/bradley_terry.hpp>
#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/rao_kupper.hpp>

#include <algorithm>
#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// By the formulas of the face, whose names these are.
template <class Arch>
struct lane_form<rao_kupper, Arch> {
  using V = lanes<Arch>;

  explicit lane_form(const rao_kupper& loss) noexcept
      : win({.temperature = loss.temperature}), threshold(loss.threshold) {
    const double t = std::max(loss.threshold / loss.temperature, least_normal<double>);
    eta = V(t);
    // log(1 - e^(-2 eta)), accurate for small and for large eta.
    grown = V(log_of_rest(2.0 * t));
    by_grown = V(2.0 / std::expm1(2.0 * t));
  }

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> term(const V& preferred, const V& other,
                                                                   const V& margin) const noexcept {
    preference_lanes<Arch> of = win.term(preferred, other, margin + threshold);
    of.slope_of_ties = of.slope_other;
    return of;
  }

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> tie(const V& preferred, const V& other,
                                                                  const V& margin) const noexcept {
    const V zero(0.0), one(1.0), inverse = win.inverse;
    const V z = bounded_term((opaque(preferred - other) - margin) * inverse);
    const V a = xsimd::abs(z);
    const V apart = a - eta;
    const V near = falling_exp(xsimd::abs(apart)).value;
    const V far = falling_exp(a + eta).value;
    const auto [log_near, by_near] = of_1_plus(near, log_tail_7);
    const auto [log_far, by_far] = of_1_plus(far, log_tail_7);
    const V ahead = xsimd::select(apart >= zero, one, near) * by_near;  // sigmoid(a - eta)
    const V behind = far * by_far;                                      // sigmoid(-a - eta)
    const V value = xsimd::max(apart, zero) + log_near + log_far - grown;
    const V size = ahead * by_far * -falling_exp(V(2.0) * a).less_1;
    const V pull = xsimd::select(z < zero, -size, size) * inverse;
    const V bend = (near * by_near * by_near + behind * by_far) * inverse * inverse;
    const V by_ties = -(ahead + behind + by_grown) * inverse;
    return {xsimd::min(value, V(largest_term)), pull, -pull, bend, xsimd::max(by_ties, V(-largest_term))};
  }

  lane_form<bradley_terry, Arch> win;
  V threshold, eta, grown, by_grown;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
