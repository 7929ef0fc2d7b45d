// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/ppo.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate and rankloss::cuda::scratch_bytes of steps, for tests that the C++ compiler compiles: ppo.cu
/// defines them.
template <class Loss, class Batch, class T>
void on_device(const Loss& loss, const Batch& batch, const rankloss::cuda::outputs<T>& out,
               rankloss::cuda::context& ctx);
template <class Loss, class Batch>
std::size_t scratch_bytes(const Loss& loss, const Batch& batch);

}  // namespace cuda_support
