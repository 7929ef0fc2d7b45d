// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/require.hpp>

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::cuda {

/// error: a call of the CUDA runtime failed. The message names the call and says what the runtime says.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

/// Requires a call of the CUDA runtime to have succeeded.
inline void require_success(cudaError_t status, std::string_view call) {
  if (status != cudaSuccess) [[unlikely]]
    rankloss::detail::fail<error>(call, ": ", std::string_view(cudaGetErrorString(status)));
}

}  // namespace detail
}  // namespace rankloss::inline RANKLOSS_ABI::cuda
