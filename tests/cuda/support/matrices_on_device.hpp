// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/similarity_batch.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate and rankloss::cuda::scratch_bytes of matrices, for tests that the C++ compiler compiles:
/// NAME.cu defines them for a loss.
/// @param panel_rows  rows of a panel, a multiple of 64, for losses that compute in panels; 0: as many as the
/// engine takes
template <class Loss, class T, class R>
void on_device(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch,
               const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx,
               std::size_t panel_rows = 0);
template <class Loss, class T, class R>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch);

}  // namespace cuda_support
