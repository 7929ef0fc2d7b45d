// SPDX-License-Identifier: BSL-1.0
#include "cuda/gae.hpp"

#include <rankloss/cuda/gae.cuh>

namespace cuda_support {

template <class T>
void estimate(const rankloss::cuda::trajectory_batch<T>& batch, const rankloss::gae& options,
              const rankloss::cuda::device_span<T>& advantages, const rankloss::cuda::device_span<T>& returns,
              rankloss::cuda::context& ctx) {
  rankloss::estimate_advantages(batch, options, advantages, returns, ctx);
}
template <class T>
std::size_t scratch_of_advantages(const rankloss::gae& options,
                                  const rankloss::cuda::trajectory_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(options, batch);
}

#define COMPILE_ADVANTAGES(T)                                                                          \
  template void estimate(const rankloss::cuda::trajectory_batch<T>&, const rankloss::gae&,             \
                         const rankloss::cuda::device_span<T>&, const rankloss::cuda::device_span<T>&, \
                         rankloss::cuda::context&);                                                    \
  template std::size_t scratch_of_advantages(const rankloss::gae&, const rankloss::cuda::trajectory_batch<T>&)

COMPILE_ADVANTAGES(float);
COMPILE_ADVANTAGES(double);

}  // namespace cuda_support
