// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The exponent of an item that takes no part, and the logarithm of a sum without items: far below all
/// others.
inline constexpr double no_exponent = -1e300;

/// log(1 + e^x) and its derivative, for any x up to 1e300, without loss of small values.
struct softplus_of {
  double value, slope;
  RANKLOSS_HOST_DEVICE explicit softplus_of(double x) noexcept {
    const double u = std::exp(-std::fabs(x));
    value = (x < 0.0 ? 0.0 : x) + std::log1p(u);
    slope = (x >= 0.0 ? 1.0 : u) / (1.0 + u);
  }
};

/// log(1 - e^-x) for x > 0, to its last digits: for large x it is all but 0, for small ones 1 - e^-x is.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double log_of_rest(double x) noexcept {
  return x > 0.7 ? std::log1p(-std::exp(-x)) : std::log(-std::expm1(-x));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
