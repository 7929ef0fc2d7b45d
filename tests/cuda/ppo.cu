// SPDX-License-Identifier: BSL-1.0
#include "cuda/ppo.hpp"

#include <rankloss/cuda/ppo.cuh>

namespace cuda_support {

template <class Loss, class Batch, class T>
void on_device(const Loss& loss, const Batch& batch, const rankloss::cuda::outputs<T>& out,
               rankloss::cuda::context& ctx) {
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class Loss, class Batch>
std::size_t scratch_bytes(const Loss& loss, const Batch& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

}  // namespace cuda_support

#define COMPILE_STEPS_ON_DEVICE(loss, batch, T)                                                          \
  template void cuda_support::on_device(const loss&, const batch<T>&, const rankloss::cuda::outputs<T>&, \
                                        rankloss::cuda::context&);                                       \
  template std::size_t cuda_support::scratch_bytes(const loss&, const batch<T>&)

COMPILE_STEPS_ON_DEVICE(rankloss::ppo, rankloss::cuda::policy_batch, float);
COMPILE_STEPS_ON_DEVICE(rankloss::ppo, rankloss::cuda::policy_batch, double);
COMPILE_STEPS_ON_DEVICE(rankloss::critic, rankloss::cuda::value_batch, float);
COMPILE_STEPS_ON_DEVICE(rankloss::critic, rankloss::cuda::value_batch, double);
