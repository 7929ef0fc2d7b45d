// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/preference_batch.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate and rankloss::cuda::scratch_bytes of preferences, for tests that the C++ compiler compiles:
/// preference_batch.cu defines them for a loss. An empty tie_gradient is not asked for.
template <class Loss, class T>
void on_device(const Loss& loss, const rankloss::cuda::preference_batch<T>& batch,
               const rankloss::cuda::outputs<T>& out, const rankloss::cuda::device_span<double>& tie_gradient,
               rankloss::cuda::context& ctx);
template <class Loss, class T>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::preference_batch<T>& batch);

}  // namespace cuda_support
