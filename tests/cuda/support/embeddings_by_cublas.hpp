// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/cublas.hpp>
#include <rankloss/cuda/embedding_batch.hpp>

#include <cstddef>

namespace cuda_support {

/// What embeddings_on_device.hpp declares, with products by cuBLAS.
template <class Loss, class T>
void by_cublas(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch,
               const rankloss::cuda::embedding_outputs<T>& out, rankloss::cuda::context& ctx,
               rankloss::cuda::cublas& products, std::size_t panel_rows);
template <class Loss, class T>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch,
                          const rankloss::cuda::cublas& products);

}  // namespace cuda_support
