// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/plackett_luce_policy.hpp>

#include <cstddef>
#include <cstdint>

namespace cuda_support {

/// evaluate_orders, sample_orders and scratch_bytes, for tests that the C++ compiler compiles:
/// plackett_luce_policy.cu defines them.
template <class T>
void orders_on_device(const rankloss::plackett_luce_policy& policy,
                      const rankloss::cuda::order_batch<T>& batch,
                      const rankloss::cuda::order_results<T>& out, rankloss::cuda::context& ctx);
template <class T>
void samples_on_device(const rankloss::plackett_luce_policy& policy,
                       const rankloss::cuda::device_span<const T>& scores,
                       const rankloss::cuda::device_indices& offsets, std::uint32_t sample,
                       const rankloss::cuda::device_span<std::uint32_t>& orders,
                       rankloss::cuda::context& ctx);
template <class T>
std::size_t scratch_of_orders(const rankloss::plackett_luce_policy& policy,
                              const rankloss::cuda::order_batch<T>& batch);

}  // namespace cuda_support
