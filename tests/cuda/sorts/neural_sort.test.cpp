// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/neural_sort.hpp>

#include "cuda/support/sort_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>

namespace cuda_sorts_neural_sort_test {

using rankloss::neural_sort;

TEST_CASE("cuda: neural_sort of floats, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<neural_sort, float>({.temperature = 0.1});
}
TEST_CASE("cuda: neural_sort of doubles, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<neural_sort, double>({.temperature = 0.1}, 1025);
}
TEMPLATE_TEST_CASE("cuda: neural_sort", "", float, double) {
  cuda_support::keeps_the_promises_of_sorts<neural_sort, TestType>({.temperature = 0.2}, 700);
}
TEMPLATE_TEST_CASE("cuda: neural_sort of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_sorts<neural_sort, TestType>({.temperature = 0.01}, 4200, 500);
}
TEMPLATE_TEST_CASE("cuda: neural_sort of long lists, at every temperature", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({4700}, 4);
  for (const double t : {1e-4, 0.3}) {
    INFO("temperature " << t);
    cuda_support::agrees(neural_sort{.temperature = t}, in, ctx);
  }
}

TEMPLATE_TEST_CASE("cuda: neural_sort at every temperature", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({1, 7, 33, 65}, 3);
  for (const double t : {0.05, 1.0, 100.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(neural_sort{.temperature = t}, in, ctx);
  }
}

// The largest numbers are of an item that no other one is near, so nothing of them is left in the gradient.
TEMPLATE_TEST_CASE("cuda: neural_sort with numbers of any size", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double size : {1e-15, 1e15}) {
    auto in = cuda_support::sorts_of_lengths<TestType>({40, 12}, 6);
    for (std::size_t i = 0; i < in.values.size(); ++i) {
      in.values[i] *= static_cast<TestType>(size);
      in.cotangent[i] *= static_cast<TestType>(size);
    }
    in.lists.scores[7] = TestType{1e6};
    in.values[7] = TestType{3e38f};
    in.cotangent[0] = TestType{-3e38f};  // of the row of this item
    INFO("size " << size);
    cuda_support::agrees(neural_sort{.temperature = 0.5}, in, ctx);
  }
}

}  // namespace cuda_sorts_neural_sort_test
