// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Functions of pairs whose sums are made of exponentials; d >= 0 is the distance of the scores in temperatures.
enum class pair_kernel {
  logistic,  ///< log(1 + exp(-d)); of a wrongly ordered pair d more
  sigmoid,   ///< sigmoid(-d); of a wrongly ordered pair 1 less that
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
