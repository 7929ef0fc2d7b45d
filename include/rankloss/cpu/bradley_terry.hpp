// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bradley_terry.hpp>
#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

template <class Arch>
struct lane_form<bradley_terry, Arch> {
  using V = lanes<Arch>;

  explicit lane_form(const bradley_terry& loss) noexcept
      : inverse(1.0 / loss.temperature), smoothing(loss.smoothing), centring(loss.centring) {}

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> term(const V& preferred, const V& other,
                                                                   const V& margin) const noexcept {
    const V zero(0.0), one(1.0);
    const V z = bounded_term((opaque(preferred - other) - margin) * inverse);
    const V small = falling_exp(xsimd::abs(z)).value;
    const auto [log, near_one] = of_1_plus(small, log_tail_7);
    const V near_zero = small * near_one;
    const auto wins = z >= zero;
    const V right = xsimd::select(wins, near_one, near_zero);  // sigmoid(z)
    const V wrong = xsimd::select(wins, near_zero, near_one);
    const V pull = (smoothing * right - (one - smoothing) * wrong) * inverse;
    const V both = preferred + other;
    // Hidden: of centring 0 and a square that overflows, a compiler that may reorder would make a NaN.
    const V centred = opaque(centring * both);
    const V push = bounded_term(V(2.0) * centred);
    const V value = log + (one - smoothing) * xsimd::max(-z, zero) + smoothing * xsimd::max(z, zero) +
                    bounded_term(centred * both);
    return {xsimd::min(value, V(largest_term)), bounded_term(push + pull), bounded_term(push - pull),
            right * wrong * inverse * inverse + V(2.0) * centring, zero};
  }

  V inverse, smoothing, centring;  // inverse of the temperature
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
