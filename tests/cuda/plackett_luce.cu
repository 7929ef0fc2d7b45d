// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/plackett_luce.cuh>

#include "cuda/plackett_luce.hpp"

namespace cuda_support {

template <class T>
void orders_on_device(const rankloss::plackett_luce& loss,
                      const rankloss::cuda::partial_order_batch<T>& batch,
                      const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx) {
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class T>
std::size_t scratch_of_orders(const rankloss::plackett_luce& loss,
                              const rankloss::cuda::partial_order_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

#define INSTANTIATE(T)                                                                         \
  template void orders_on_device(const rankloss::plackett_luce&,                               \
                                 const rankloss::cuda::partial_order_batch<T>&,                \
                                 const rankloss::cuda::outputs<T>&, rankloss::cuda::context&); \
  template std::size_t scratch_of_orders(const rankloss::plackett_luce&,                       \
                                         const rankloss::cuda::partial_order_batch<T>&)
INSTANTIATE(float);
INSTANTIATE(double);

}  // namespace cuda_support
