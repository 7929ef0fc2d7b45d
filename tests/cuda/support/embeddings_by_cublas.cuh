// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/cublas.hpp>
#include <rankloss/cuda/embedding_batch.hpp>

#include "cuda/support/embeddings_by_cublas.hpp"

namespace cuda_support {

template <class Loss, class T>
void by_cublas(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch,
               const rankloss::cuda::embedding_outputs<T>& out, rankloss::cuda::context& ctx,
               rankloss::cuda::cublas& products, std::size_t panel_rows) {
  using engine = rankloss::engine<Loss, rankloss::cuda::context>;
  if constexpr (requires { engine::run(loss, batch, out, ctx, products, panel_rows); })
    if (panel_rows > 0) return engine::run(loss, batch, out, ctx, products, panel_rows);
  rankloss::evaluate(loss, batch, out, ctx, products);
}
template <class Loss, class T>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch,
                          const rankloss::cuda::cublas& products) {
  return rankloss::cuda::scratch_bytes(loss, batch, products);
}

}  // namespace cuda_support

/// Defines both for a loss and components.
#define COMPILE_EMBEDDINGS_BY_CUBLAS(loss, T)                                                              \
  template void cuda_support::by_cublas(const loss&, const rankloss::cuda::embedding_batch<T>&,            \
                                        const rankloss::cuda::embedding_outputs<T>&,                       \
                                        rankloss::cuda::context&, rankloss::cuda::cublas&, std::size_t);   \
  template std::size_t cuda_support::scratch_bytes(const loss&, const rankloss::cuda::embedding_batch<T>&, \
                                                   const rankloss::cuda::cublas&)
