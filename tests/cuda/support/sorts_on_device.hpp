// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/sorts/sort.hpp>

#include <cstddef>

namespace cuda_support {

using rankloss::cuda::detail::sort_product;

/// rankloss::sort_apply and the other products on the device for tests that the C++ compiler compiles: NAME.cu
/// defines them.
template <class Sort, class T>
void sort_on_device(const Sort& how, sort_product what, const rankloss::cuda::score_batch<T>& batch,
                    rankloss::cuda::device_span<const T> values,
                    rankloss::cuda::device_span<const T> cotangent, rankloss::cuda::device_span<T> out,
                    rankloss::cuda::context& ctx);
template <class Sort, class T>
std::size_t sort_scratch_bytes(const Sort& how, const rankloss::cuda::score_batch<T>& batch);

}  // namespace cuda_support
