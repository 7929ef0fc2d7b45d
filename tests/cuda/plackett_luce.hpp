// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/plackett_luce.hpp>

#include <cstddef>

namespace cuda_support {

/// evaluate and scratch_bytes, for tests that the C++ compiler compiles: plackett_luce.cu defines them.
template <class T>
void orders_on_device(const rankloss::plackett_luce& loss,
                      const rankloss::cuda::partial_order_batch<T>& batch,
                      const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx);
template <class T>
std::size_t scratch_of_orders(const rankloss::plackett_luce& loss,
                              const rankloss::cuda::partial_order_batch<T>& batch);

}  // namespace cuda_support
