// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cpu/bradley_terry.hpp>
#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/rao_kupper.hpp>

#include <algorithm>
#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// By the formulas of the face, whose names these are.
template <>
struct lane_form<rao_kupper> {
  template <class Arch>
  [[nodiscard]] static preference_lanes<Arch> term(const rao_kupper& loss,
                                                   const xsimd::batch<double, Arch>& preferred,
                                                   const xsimd::batch<double, Arch>& other,
                                                   const xsimd::batch<double, Arch>& margin) noexcept {
    preference_lanes<Arch> win =
        lane_form<bradley_terry>::term(bradley_terry{.temperature = loss.temperature}, preferred, other,
                                       margin + lanes<Arch>(loss.threshold));
    win.slope_of_ties = win.slope_other;
    return win;
  }

  template <class Arch>
  [[nodiscard]] static preference_lanes<Arch> tie(const rao_kupper& loss,
                                                  const xsimd::batch<double, Arch>& preferred,
                                                  const xsimd::batch<double, Arch>& other,
                                                  const xsimd::batch<double, Arch>& margin) noexcept {
    using V = lanes<Arch>;
    const double eta = std::max(loss.threshold / loss.temperature, least_normal<double>);
    const double grown = eta > 0.35 ? std::log1p(-std::exp(-2.0 * eta)) : std::log(-std::expm1(-2.0 * eta));
    const V zero(0.0), one(1.0), inverse(1.0 / loss.temperature);
    const V z = bounded_term((preferred - other - margin) * inverse);
    const V a = xsimd::abs(z);
    const V apart = a - V(eta);
    const V near = falling_exp(xsimd::abs(apart)).value;
    const V far = falling_exp(a + V(eta)).value;
    const V by_near = one / (one + near), by_far = one / (one + far);
    const V ahead = xsimd::select(apart >= zero, one, near) * by_near;  // sigmoid(a - eta)
    const V behind = far * by_far;                                      // sigmoid(-a - eta)
    const V value = xsimd::max(apart, zero) + log_of_1_plus(near) + log_of_1_plus(far) - V(grown);
    const V size = ahead * by_far * -falling_exp(V(2.0) * a).less_1;
    const V pull = xsimd::select(z < zero, -size, size) * inverse;
    const V bend = (near * by_near * by_near + behind * by_far) * inverse * inverse;
    const V by_ties = -(ahead + behind + V(2.0 / std::expm1(2.0 * eta))) * inverse;
    return {xsimd::min(value, V(largest_term)), pull, -pull, bend, xsimd::max(by_ties, V(-largest_term))};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
