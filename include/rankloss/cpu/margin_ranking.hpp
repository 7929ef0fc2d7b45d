// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/margin_ranking.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

template <class Arch>
struct lane_form<margin_ranking, Arch> {
  using V = lanes<Arch>;

  explicit lane_form(const margin_ranking& loss) noexcept : margin(loss.margin) {}

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> term(const V& preferred, const V& other,
                                                                   const V& own_margin) const noexcept {
    const V zero(0.0);
    const V gap = xsimd::min(margin + own_margin - opaque(preferred - other), V(largest_term));
    const V slope = xsimd::select(gap > zero, V(1.0), zero);
    return {xsimd::max(gap, zero), -slope, slope, zero, zero};
  }

  V margin;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
