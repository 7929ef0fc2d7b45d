// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// What a triplet costs and by which slope, as a function of how far it falls short of the margin; for one
/// triplet, which may fall short infinitely, and for lanes of them, which are finite.
template <class V>
struct triplet_cost {
  V value, slope;
};

struct hinge_term {
  static constexpr bool always_active = false;

  [[nodiscard]] triplet_cost<double> operator()(double x) const noexcept {
    return x > 0.0 ? triplet_cost<double>{x, 1.0} : triplet_cost<double>{0.0, 0.0};
  }
  template <class Arch>
  [[nodiscard]] [[gnu::always_inline]] triplet_cost<lanes<Arch>> on_lanes(
      const lanes<Arch>& x) const noexcept {
    using V = lanes<Arch>;
    return {xsimd::max(x, V(0.0)), xsimd::select(x > V(0.0), V(1.0), V(0.0))};
  }
};

struct soft_term {
  static constexpr bool always_active = true;

  [[nodiscard]] triplet_cost<double> operator()(double x) const noexcept {
    if (x > 700.0) return {x, 1.0};
    const double e = std::exp(-std::abs(x));
    return {std::max(x, 0.0) + std::log1p(e), (x > 0.0 ? 1.0 : e) / (1.0 + e)};
  }
  template <class Arch>
  [[nodiscard]] [[gnu::always_inline]] triplet_cost<lanes<Arch>> on_lanes(
      const lanes<Arch>& x) const noexcept {
    using V = lanes<Arch>;
    const V e = exp_minus(xsimd::abs(x));
    const V low = e / (V(1.0) + e);  // the smaller one of the slope and of what it lacks to 1
    return {xsimd::max(x, V(0.0)) + minus_log_rest(low), xsimd::select(x > V(0.0), V(1.0) - low, low)};
  }
};

/// By how much a triplet falls short of the margin. Scores are subtracted first, because the difference of
/// close scores is exact. Finite scores have a finite result, so that no sum of them is infinite; a positive
/// of +infinity never falls short, and neither does a negative of -infinity.
struct triplet_shortfall {
  static constexpr double largest = 1e290;

  double margin;

  [[nodiscard]] double operator()(const double& negative, const double& positive) const noexcept {
    if (is_finite(negative) && is_finite(positive))
      return std::min(margin + opaque(negative - positive), largest);
    if (is_minus_infinity(negative) || (!is_finite(positive) && !is_minus_infinity(positive)))
      return -largest;
    return hidden_infinity();
  }
};

/// The sum over the triplets of a query, how many there are, and how many of them cost anything. Where
/// negatives have weights, so do the numbers.
struct triplet_sums {
  double value = 0.0;
  double triplets = 0.0;
  double active = 0.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
