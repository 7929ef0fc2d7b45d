// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/gae.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::estimate_advantages and rankloss::cuda::scratch_bytes, for tests that the C++ compiler compiles:
/// gae.cu defines them.
template <class T>
void estimate(const rankloss::cuda::trajectory_batch<T>& batch, const rankloss::gae& options,
              const rankloss::cuda::device_span<T>& advantages, const rankloss::cuda::device_span<T>& returns,
              rankloss::cuda::context& ctx);
template <class T>
std::size_t scratch_of_advantages(const rankloss::gae& options,
                                  const rankloss::cuda::trajectory_batch<T>& batch);

}  // namespace cuda_support
