// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/error.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Launches a kernel of one-dimensional blocks on a stream.
/// @throws cuda::error naming the kernel when it cannot be launched. Errors that other calls have left behind
/// are not looked at.
template <class... Parameters>
void launch(std::string_view name, void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
            std::size_t shared_bytes, cudaStream_t stream, std::type_identity_t<Parameters>... arguments) {
  void* addresses[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
  require_success(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(blocks), dim3(threads),
                                   addresses, shared_bytes, stream),
                  name);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
