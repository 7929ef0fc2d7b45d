// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/similarity_batch.hpp>

#include "cuda/support/matrices_on_device.hpp"

namespace cuda_support {

template <class Loss, class T, class R>
void on_device(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch,
               const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx, std::size_t panel_rows) {
  using engine = rankloss::engine<Loss, rankloss::cuda::context>;
  if constexpr (requires { engine::run_in_panels(loss, batch, out, ctx, panel_rows); })
    if (panel_rows > 0) return engine::run_in_panels(loss, batch, out, ctx, panel_rows);
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class Loss, class T, class R>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

}  // namespace cuda_support

/// Defines both for a loss, similarities and relevance.
#define COMPILE_MATRICES_ON_DEVICE(loss, T, R)                                                       \
  template void cuda_support::on_device(const loss&, const rankloss::cuda::similarity_batch<T, R>&,  \
                                        const rankloss::cuda::outputs<T>&, rankloss::cuda::context&, \
                                        std::size_t);                                                \
  template std::size_t cuda_support::scratch_bytes(const loss&, const rankloss::cuda::similarity_batch<T, R>&)
