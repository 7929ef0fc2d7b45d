// SPDX-License-Identifier: BSL-1.0
#include "cuda/device_span.hpp"

#include <rankloss/cuda/detail/launch.cuh>

#include <cstddef>

namespace cuda_device_span_test {

using rankloss::cuda::device_flags;
using rankloss::cuda::device_indices;
using rankloss::cuda::device_reals;
using rankloss::cuda::device_span;

template <class View, class To>
__global__ void read_all(View from, device_span<To> to) {
  for (std::size_t i = threadIdx.x; i < to.size(); i += blockDim.x) to[i] = static_cast<To>(from[i]);
}

void read(const device_indices& from, device_span<std::int64_t> to, cudaStream_t stream) {
  rankloss::cuda::detail::launch("read_all", read_all<device_indices, std::int64_t>, 1, 32, 0, stream, from,
                                 to);
}
void read(const device_reals& from, device_span<double> to, cudaStream_t stream) {
  rankloss::cuda::detail::launch("read_all", read_all<device_reals, double>, 1, 32, 0, stream, from, to);
}
void read(const device_flags& from, device_span<std::int64_t> to, cudaStream_t stream) {
  rankloss::cuda::detail::launch("read_all", read_all<device_flags, std::int64_t>, 1, 32, 0, stream, from,
                                 to);
}

}  // namespace cuda_device_span_test
