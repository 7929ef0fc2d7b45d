// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/embedding_batch.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate and rankloss::cuda::scratch_bytes of embeddings, for tests that the C++ compiler
/// compiles: NAME.cu defines them for a loss.
/// @param panel_rows  rows of a panel, a multiple of 64; 0: as many as the engine takes
template <class Loss, class T>
void on_device(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch,
               const rankloss::cuda::embedding_outputs<T>& out, rankloss::cuda::context& ctx,
               std::size_t panel_rows);
template <class Loss, class T>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::embedding_batch<T>& batch);

}  // namespace cuda_support
