// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/error.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace cuda_error_test {

using rankloss::cuda::error;
using rankloss::cuda::detail::require_success;

TEST_CASE("cuda error: it names the call and says what the runtime says") {
  CHECK_NOTHROW(require_success(cudaSuccess, "cudaMalloc"));
  CHECK_THROWS_AS(require_success(cudaErrorMemoryAllocation, "cudaMalloc"), error);
  CHECK_THROWS_WITH(require_success(cudaErrorMemoryAllocation, "cudaMalloc"),
                    std::string("rankloss: cudaMalloc: ") + cudaGetErrorString(cudaErrorMemoryAllocation));
  STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, error>);
}

}  // namespace cuda_error_test
