// SPDX-License-Identifier: BSL-1.0
#include "cuda/lr2ppo.hpp"

#include <rankloss/cuda/lr2ppo.cuh>

namespace cuda_support {

template <class T>
void labels_on_device(const rankloss::lr2ppo& loss, const rankloss::cuda::label_policy_batch<T>& batch,
                      const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx) {
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class T>
void shaped_on_device(const rankloss::lr2ppo& loss, const rankloss::cuda::label_policy_batch<T>& batch,
                      const rankloss::cuda::device_span<double>& shaped, rankloss::cuda::context& ctx) {
  rankloss::shape_rewards(loss, batch, shaped, ctx);
}
template <class T>
std::size_t scratch_of_labels(const rankloss::lr2ppo& loss,
                              const rankloss::cuda::label_policy_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

#define COMPILE_LABELS(T)                                                                               \
  template void labels_on_device(const rankloss::lr2ppo&, const rankloss::cuda::label_policy_batch<T>&, \
                                 const rankloss::cuda::outputs<T>&, rankloss::cuda::context&);          \
  template void shaped_on_device(const rankloss::lr2ppo&, const rankloss::cuda::label_policy_batch<T>&, \
                                 const rankloss::cuda::device_span<double>&, rankloss::cuda::context&); \
  template std::size_t scratch_of_labels(const rankloss::lr2ppo&,                                       \
                                         const rankloss::cuda::label_policy_batch<T>&)

COMPILE_LABELS(float);
COMPILE_LABELS(double);

}  // namespace cuda_support
