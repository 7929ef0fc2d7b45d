// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace cuda_promises_fast_math_test {

/// x + x on the device: 0 for a subnormal x where subnormal numbers are.
float doubled(float x);

}  // namespace cuda_promises_fast_math_test
