// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Where the threshold b of soft_top_k lies between two neighbouring scores: exp(-(upper - b) / t) and
/// exp(-(b - lower) / t).
struct laplace_threshold {
  double above, below;
  bool vanishes;  ///< both underflow; only their ratio is meaningful

  [[nodiscard]] RANKLOSS_HOST_DEVICE double greatest() const noexcept {
    return above < below ? below : above;
  }
};

/// With m scores above b, U the sum of exp(-(s_i - upper) / t) over them, and L the sum of
/// exp(-(lower - s_i) / t) over the others, solves
///
///     m - U above / 2 + L below / 2 = k,     above below = exp(-(upper - lower) / t) = h
///
/// @param excess  m - k
[[nodiscard]] RANKLOSS_HOST_DEVICE inline laplace_threshold threshold_between(double excess, double upper_sum,
                                                                              double lower_sum,
                                                                              double h) noexcept {
  const auto at_most_1 = [](double x) { return x < 1.0 ? x : 1.0; };
  const double root = std::fabs(excess) + std::sqrt(excess * excess + upper_sum * lower_sum * h);
  laplace_threshold found{lower_sum, upper_sum, !(root > 0.0)};
  if (root > 0.0 && excess >= 0.0) {
    found.above = at_most_1(root / upper_sum);
    found.below = at_most_1(upper_sum * h / root);
  } else if (root > 0.0) {
    found.above = at_most_1(lower_sum * h / root);
    found.below = at_most_1(root / lower_sum);
  }
  if (!(found.greatest() > 0.0)) {  // both underflow: a tiny sum over many items
    (excess >= 0.0 ? found.above : found.below) = 1.0;
    found.vanishes = true;
  }
  return found;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
