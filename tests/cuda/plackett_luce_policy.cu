// SPDX-License-Identifier: BSL-1.0
#include "cuda/plackett_luce_policy.hpp"

#include <rankloss/cuda/plackett_luce_policy.cuh>

namespace cuda_support {

template <class T>
void orders_on_device(const rankloss::plackett_luce_policy& policy,
                      const rankloss::cuda::order_batch<T>& batch,
                      const rankloss::cuda::order_results<T>& out, rankloss::cuda::context& ctx) {
  rankloss::evaluate_orders(policy, batch, out, ctx);
}
template <class T>
void samples_on_device(const rankloss::plackett_luce_policy& policy,
                       const rankloss::cuda::device_span<const T>& scores,
                       const rankloss::cuda::device_indices& offsets, std::uint32_t sample,
                       const rankloss::cuda::device_span<std::uint32_t>& orders,
                       rankloss::cuda::context& ctx) {
  rankloss::sample_orders(policy, scores, offsets, sample, orders, ctx);
}
template <class T>
std::size_t scratch_of_orders(const rankloss::plackett_luce_policy& policy,
                              const rankloss::cuda::order_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(policy, batch);
}

#define COMPILE_ORDERS(T)                                                                            \
  template void orders_on_device(const rankloss::plackett_luce_policy&,                              \
                                 const rankloss::cuda::order_batch<T>&,                              \
                                 const rankloss::cuda::order_results<T>&, rankloss::cuda::context&); \
  template void samples_on_device(                                                                   \
      const rankloss::plackett_luce_policy&, const rankloss::cuda::device_span<const T>&,            \
      const rankloss::cuda::device_indices&, std::uint32_t,                                          \
      const rankloss::cuda::device_span<std::uint32_t>&, rankloss::cuda::context&);                  \
  template std::size_t scratch_of_orders(const rankloss::plackett_luce_policy&,                      \
                                         const rankloss::cuda::order_batch<T>&)

COMPILE_ORDERS(float);
COMPILE_ORDERS(double);

}  // namespace cuda_support
