// SPDX-License-Identifier: BSL-1.0
#include "cuda/preference_batch.hpp"

#include <rankloss/bradley_terry.hpp>
#include <rankloss/cuda/preference_batch.cuh>
#include <rankloss/davidson.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/rao_kupper.hpp>

namespace cuda_support {

template <class Loss, class T>
void on_device(const Loss& loss, const rankloss::cuda::preference_batch<T>& batch,
               const rankloss::cuda::outputs<T>& out, const rankloss::cuda::device_span<double>& tie_gradient,
               rankloss::cuda::context& ctx) {
  if constexpr (rankloss::tie_loss<Loss>)
    if (!tie_gradient.empty()) return rankloss::evaluate(loss, batch, out, tie_gradient, ctx);
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class Loss, class T>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::preference_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

}  // namespace cuda_support

#define COMPILE_PREFERENCES_ON_DEVICE(loss, T)                                                    \
  template void cuda_support::on_device(                                                          \
      const loss&, const rankloss::cuda::preference_batch<T>&, const rankloss::cuda::outputs<T>&, \
      const rankloss::cuda::device_span<double>&, rankloss::cuda::context&);                      \
  template std::size_t cuda_support::scratch_bytes(const loss&, const rankloss::cuda::preference_batch<T>&)

COMPILE_PREFERENCES_ON_DEVICE(rankloss::bradley_terry, float);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::bradley_terry, double);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::margin_ranking, float);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::margin_ranking, double);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::rao_kupper, float);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::rao_kupper, double);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::davidson, float);
COMPILE_PREFERENCES_ON_DEVICE(rankloss::davidson, double);
