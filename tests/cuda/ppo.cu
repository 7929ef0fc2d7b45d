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
template <class T>
void diagnosed_on_device(const rankloss::ppo& loss, const rankloss::cuda::policy_batch<T>& batch,
                         const rankloss::cuda::device_span<rankloss::policy_diagnostics>& found,
                         rankloss::cuda::context& ctx) {
  rankloss::diagnose(loss, batch, found, ctx);
}
template <class T>
void explained_on_device(const rankloss::cuda::value_batch<T>& batch,
                         const rankloss::cuda::device_span<double>& explained, rankloss::cuda::context& ctx) {
  rankloss::explained_variance(batch, explained, ctx);
}
template <class T>
void shaped_on_device(const rankloss::cuda::device_span<const T>& rewards,
                      const rankloss::cuda::device_span<const T>& log_probabilities,
                      const rankloss::cuda::device_span<const T>& reference, double coefficient,
                      rankloss::kl_estimator estimator, const rankloss::cuda::device_span<T>& shaped,
                      const rankloss::cuda::device_flags& mask, rankloss::cuda::context& ctx) {
  rankloss::shape_rewards(rewards, log_probabilities, reference, coefficient, estimator, shaped, mask, ctx);
}

#define COMPILE_STATISTICS_ON_DEVICE(T)                                                                    \
  template void diagnosed_on_device(const rankloss::ppo&, const rankloss::cuda::policy_batch<T>&,          \
                                    const rankloss::cuda::device_span<rankloss::policy_diagnostics>&,      \
                                    rankloss::cuda::context&);                                             \
  template void explained_on_device(const rankloss::cuda::value_batch<T>&,                                 \
                                    const rankloss::cuda::device_span<double>&, rankloss::cuda::context&); \
  template void shaped_on_device(                                                                          \
      const rankloss::cuda::device_span<const T>&, const rankloss::cuda::device_span<const T>&,            \
      const rankloss::cuda::device_span<const T>&, double, rankloss::kl_estimator,                         \
      const rankloss::cuda::device_span<T>&, const rankloss::cuda::device_flags&, rankloss::cuda::context&)

COMPILE_STATISTICS_ON_DEVICE(float);
COMPILE_STATISTICS_ON_DEVICE(double);

}  // namespace cuda_support

#define COMPILE_STEPS_ON_DEVICE(loss, batch, T)                                                          \
  template void cuda_support::on_device(const loss&, const batch<T>&, const rankloss::cuda::outputs<T>&, \
                                        rankloss::cuda::context&);                                       \
  template std::size_t cuda_support::scratch_bytes(const loss&, const batch<T>&)

COMPILE_STEPS_ON_DEVICE(rankloss::ppo, rankloss::cuda::policy_batch, float);
COMPILE_STEPS_ON_DEVICE(rankloss::ppo, rankloss::cuda::policy_batch, double);
COMPILE_STEPS_ON_DEVICE(rankloss::critic, rankloss::cuda::value_batch, float);
COMPILE_STEPS_ON_DEVICE(rankloss::critic, rankloss::cuda::value_batch, double);
