// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/evaluate.hpp>

#include "cuda/support/on_device.hpp"

namespace cuda_support {

template <class Loss, class T, class R>
void on_device(const Loss& loss, const rankloss::cuda::list_batch<T, R>& batch,
               const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx) {
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class Loss, class T, class R>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::list_batch<T, R>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

}  // namespace cuda_support

/// Defines both for a loss, scores and relevance.
#define COMPILE_ON_DEVICE(loss, T, R)                                                                 \
  template void cuda_support::on_device(const loss&, const rankloss::cuda::list_batch<T, R>&,         \
                                        const rankloss::cuda::outputs<T>&, rankloss::cuda::context&); \
  template std::size_t cuda_support::scratch_bytes(const loss&, const rankloss::cuda::list_batch<T, R>&)
