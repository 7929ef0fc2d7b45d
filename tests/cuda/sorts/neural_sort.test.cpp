// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/neural_sort.hpp>

#include "cuda/support/sort_checks.hpp"

#include <catch2/catch.hpp>

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

}  // namespace cuda_sorts_neural_sort_test
