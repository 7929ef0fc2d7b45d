// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/gain.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The factor that brings gains or relevance near 1 where the largest is very small or very large; otherwise
/// 1.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double gain_unit(double largest) noexcept {
  return largest > 0.0 && !(largest >= 1e-30 && largest <= 1e30) ? unit_of(largest) : 1.0;
}

/// The power of two by which fill_gains multiplies the gains. Exponential gains of grades beyond 100 are also
/// divided by 2^(largest grade); this factor does not contain that.
///
/// @param scratch  of whose workers a long list may make use, or none
template <class R, class... Scratch>
[[nodiscard]] double unit_of_gains(gain kind, std::span<const double> table,
                                   const strided<const R>& relevance, Scratch&... scratch) {
  double largest = 0.0;
  if (kind == gain::table) {
    for (std::size_t i = 0; i < relevance.size(); ++i)
      largest = std::max(largest, worth_in(table, static_cast<double>(relevance[i])));
  } else if (relevance.size() > 0) {
    largest = static_cast<double>(extremes_of(relevance, scratch...).most);
    if (kind == gain::exponential && largest >= 1e-30) return 1.0;
  }
  return gain_unit(largest);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
