// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

namespace cuda_detail_float_functions_test {

/// What each function is of the numbers x and y.
struct results {
  std::vector<float> exp, exp_up_to_88, log, inverse, quotient, near_quotient;
};
results compute(const std::vector<float>& x, const std::vector<float>& y);

}  // namespace cuda_detail_float_functions_test
