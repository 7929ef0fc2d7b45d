// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/float_functions.hpp"

#include <rankloss/cuda/detail/float_functions.cuh>

#include "cuda/support/device.hpp"

#include <cstddef>
#include <vector>

namespace cuda_detail_float_functions_test {

namespace of = rankloss::cuda::detail;

__global__ void compute_each(const float* x, const float* y, std::size_t n, float* exp, float* exp_up_to_88,
                             float* log, float* inverse, float* quotient, float* near_quotient) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  exp[i] = of::exp_of(x[i]);
  exp_up_to_88[i] = of::exp_up_to_88(x[i]);
  log[i] = of::log_of(x[i]);
  inverse[i] = of::inverse(x[i]);
  quotient[i] = of::quotient(x[i], y[i]);
  near_quotient[i] = of::near_quotient(x[i], y[i]);
}

results compute(const std::vector<float>& x, const std::vector<float>& y) {
  using cuda_support::array;
  const std::size_t n = x.size();
  const array<float> of_x(x), of_y(y), exp(n), exp_up_to_88(n), log(n), inverse(n), quotient(n),
      near_quotient(n);
  compute_each<<<static_cast<unsigned>((n + 255) / 256), 256>>>(
      of_x.data(), of_y.data(), n, exp.data(), exp_up_to_88.data(), log.data(), inverse.data(),
      quotient.data(), near_quotient.data());
  cuda_support::require_success(cudaGetLastError(), "compute_each");
  return {exp.host(), exp_up_to_88.host(), log.host(), inverse.host(), quotient.host(), near_quotient.host()};
}

}  // namespace cuda_detail_float_functions_test
