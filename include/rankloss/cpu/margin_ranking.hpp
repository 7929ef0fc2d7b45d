// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/margin_ranking.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

template <>
struct lane_form<margin_ranking> {
  template <class Arch>
  [[nodiscard]] static preference_lanes<Arch> term(const margin_ranking& loss,
                                                   const xsimd::batch<double, Arch>& preferred,
                                                   const xsimd::batch<double, Arch>& other,
                                                   const xsimd::batch<double, Arch>& own_margin) noexcept {
    using V = lanes<Arch>;
    const V zero(0.0);
    const V gap = xsimd::min(V(loss.margin) + own_margin - (preferred - other), V(largest_term));
    const V slope = xsimd::select(gap > zero, V(1.0), zero);
    return {xsimd::max(gap, zero), -slope, slope, zero, zero};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
