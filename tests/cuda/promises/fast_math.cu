// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/listmle.cuh>
#include <rankloss/cuda/sndcg.cuh>
#include <rankloss/cuda/softmax_cross_entropy.cuh>

#include "cuda/promises/fast_math.hpp"
#include "cuda/support/device.hpp"
#include "cuda/support/on_device.cuh"

#include <vector>

COMPILE_ON_DEVICE(rankloss::sndcg, float, int);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, float);
COMPILE_ON_DEVICE(rankloss::listmle, float, int);

namespace cuda_promises_fast_math_test {

__global__ void double_number(float* x) { *x += *x; }

float doubled(float x) {
  const cuda_support::array<float> on(std::vector<float>{x});
  double_number<<<1, 1>>>(on.data());
  cuda_support::require_success(cudaGetLastError(), "double_number");
  return on.host()[0];
}

}  // namespace cuda_promises_fast_math_test
