// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/device_span.hpp>

#include <cuda_runtime_api.h>

#include <cstdint>

namespace cuda_device_span_test {

/// What a kernel reads of views, as the widest of their types.
void read(const rankloss::cuda::device_indices& from, rankloss::cuda::device_span<std::int64_t> to,
          cudaStream_t);
void read(const rankloss::cuda::device_reals& from, rankloss::cuda::device_span<double> to, cudaStream_t);
void read(const rankloss::cuda::device_flags& from, rankloss::cuda::device_span<std::int64_t> to,
          cudaStream_t);

}  // namespace cuda_device_span_test
