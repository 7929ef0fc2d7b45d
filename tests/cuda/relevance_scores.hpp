// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/relevance_scores.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::relevance_scores and rankloss::cuda::scratch_bytes, for tests that the C++ compiler compiles:
/// relevance_scores.cu defines them.
/// @param panel_captions  captions of a panel, a multiple of 64; 0: as many as the engine takes
template <class T>
void relevance_on_device(const rankloss::cuda::caption_batch<T>& batch,
                         const rankloss::cuda::device_span<T>& relevance, rankloss::cuda::context& ctx,
                         std::size_t panel_captions);
template <class T>
std::size_t scratch_of_captions(const rankloss::cuda::caption_batch<T>& batch);

}  // namespace cuda_support
