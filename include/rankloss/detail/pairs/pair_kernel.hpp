// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Functions of pairs whose sums can be computed from exponentials. d >= 0 is the distance of the two scores,
/// in units of the temperature.
enum class pair_kernel {
  logistic,  ///< log(1 + exp(-d)), plus d for a wrongly ordered pair
  sigmoid,   ///< sigmoid(-d); for a wrongly ordered pair 1 - sigmoid(-d)
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
