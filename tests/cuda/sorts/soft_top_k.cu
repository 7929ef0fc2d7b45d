// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/soft_top_k.cuh>

#include "cuda/support/ranks_on_device.cuh"

COMPILE_RANKS_ON_DEVICE(rankloss::soft_top_k, float);
COMPILE_RANKS_ON_DEVICE(rankloss::soft_top_k, double);

namespace cuda_sorts_soft_top_k_test {

/// The words of soft_top_k itself, for the test.
void top_k_on_device(const rankloss::soft_top_k& how, const rankloss::cuda::score_batch<double>& batch,
                     rankloss::cuda::device_span<const double> cotangent,
                     rankloss::cuda::device_span<double> values, rankloss::cuda::device_span<double> gradient,
                     rankloss::cuda::context& ctx) {
  rankloss::top_k(how, batch, values, ctx);
  rankloss::top_k_pullback(how, batch, cotangent, gradient, ctx);
}

}  // namespace cuda_sorts_soft_top_k_test
