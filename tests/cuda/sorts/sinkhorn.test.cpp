// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/sinkhorn.hpp>

#include "cuda/support/sort_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>

namespace cuda_sorts_sinkhorn_test {

using rankloss::sinkhorn;
using rankloss::sinkhorn_derivative;

TEST_CASE("cuda: sinkhorn of floats, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<sinkhorn, float>({.sort = {.temperature = 0.1}, .steps = 1},
                                                             1025);
}
TEMPLATE_TEST_CASE("cuda: sinkhorn", "", float, double) {
  cuda_support::keeps_the_promises_of_sorts<sinkhorn, TestType>(
      {.sort = {.temperature = 0.3}, .steps = 3, .tolerance = 1e-2}, 520);
}
TEMPLATE_TEST_CASE("cuda: sinkhorn of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_sorts<sinkhorn, TestType>(
      {.sort = {.temperature = 0.003}, .steps = 3, .tolerance = 1e-2}, 4200, 200);
}
TEMPLATE_TEST_CASE("cuda: sinkhorn of long lists that stop after different steps", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::sorts_of_lengths<TestType>({4200, 300, 4200, 4300}, 4);
  for (std::size_t i = 0; i < 4200; ++i) in.lists.scores[i] *= TestType{20};
  for (std::size_t i = 4500; i < 8700; ++i) in.lists.scores[i] *= TestType{1e4};
  for (const std::size_t steps : {1, 2, 7}) {
    INFO(steps << " steps");
    cuda_support::agrees(sinkhorn{.sort = {.temperature = 3e-3}, .steps = steps, .tolerance = 0.1}, in, ctx,
                         {cuda_support::sort_product::transposed, cuda_support::sort_product::pullback});
  }
}
TEMPLATE_TEST_CASE("cuda: sinkhorn of long lists with the implicit derivative", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::sorts_of_lengths<TestType>({4200}, 4);
  cuda_support::gather_in_threes(in.lists.scores, 0.1);
  cuda_support::agrees(sinkhorn{.sort = {.temperature = 0.1},
                                .steps = 2,
                                .tolerance = 0.0,
                                .derivative = sinkhorn_derivative::implicit},
                       in, ctx, {cuda_support::sort_product::apply, cuda_support::sort_product::pullback});
}

TEMPLATE_TEST_CASE("cuda: sinkhorn with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({1, 7, 33, 65}, 3);
  for (const auto derivative : {sinkhorn_derivative::unrolled, sinkhorn_derivative::implicit})
    for (const std::size_t steps : {0, 1, 4}) {
      INFO(steps << " steps, derivative " << static_cast<int>(derivative));
      cuda_support::agrees(
          sinkhorn{.sort = {.temperature = 0.5}, .steps = steps, .tolerance = 0.0, .derivative = derivative},
          in, ctx);
    }
  cuda_support::agrees(sinkhorn{.sort = {.temperature = 30.0}, .tolerance = 1e-2}, in, ctx);
}

}  // namespace cuda_sorts_sinkhorn_test
