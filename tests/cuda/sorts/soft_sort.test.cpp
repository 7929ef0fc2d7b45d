// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_sort.hpp>

#include "cuda/support/sort_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>

namespace cuda_sorts_soft_sort_test {

using rankloss::soft_sort;
using rankloss::sort_distance;
using rankloss::sort_forward;

TEST_CASE("cuda: soft_sort of floats, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<soft_sort, float>({.temperature = 0.1});
}
TEST_CASE("cuda: soft_sort of doubles, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<soft_sort, double>({.temperature = 0.1}, 1025);
}
TEST_CASE("cuda: soft_sort by squared distances of floats, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<soft_sort, float>(
      {.temperature = 0.001, .distance = sort_distance::squared}, 1025);
}
TEMPLATE_TEST_CASE("cuda: soft_sort", "", float, double) {
  cuda_support::keeps_the_promises_of_sorts<soft_sort, TestType>({.temperature = 0.2});
}
TEMPLATE_TEST_CASE("cuda: soft_sort by squared distances", "", float, double) {
  cuda_support::keeps_the_promises_of_sorts<soft_sort, TestType>(
      {.temperature = 0.01, .distance = sort_distance::squared}, 520);
}
TEMPLATE_TEST_CASE("cuda: soft_sort of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_sorts<soft_sort, TestType>({.temperature = 0.1}, 4200, 4200);
}
TEMPLATE_TEST_CASE("cuda: soft_sort by squared distances of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_sorts<soft_sort, TestType>(
      {.temperature = 1e-5, .distance = sort_distance::squared}, 4200, 500);
}
TEMPLATE_TEST_CASE("cuda: soft_sort of long lists, with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({4700}, 4);
  for (const double t : {1e-6, 0.01, 0.5}) {
    INFO("temperature " << t);
    cuda_support::agrees(soft_sort{.temperature = t}, in, ctx);
  }
  for (const auto distance : {sort_distance::absolute, sort_distance::squared})
    cuda_support::agrees(soft_sort{.temperature = 1e-7, .distance = distance, .forward = sort_forward::hard},
                         in, ctx);
}
TEST_CASE("cuda: soft_sort of 30 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<float>({30000}, 5);
  cuda_support::agrees(soft_sort{.temperature = 0.01}, in, ctx);
}

// Two floats hold most of them; others are computed in doubles.
TEST_CASE("cuda: soft_sort of odd floats") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  std::uint32_t seed = 1;
  for (const double t : {1e-15, 1e-3, 1.0, 1e6, 1e33}) {
    INFO("temperature " << t);
    cuda_support::agrees(soft_sort{.temperature = t}, cuda_support::odd_sorts(60, t, seed++), ctx);
  }
}

// Rows and columns are nearly even, so that hardly anything is left of what they add up.
TEST_CASE("cuda: soft_sort of floats that cancel") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const float spread : {3e-9f, 1e-7f, 1e-4f}) {
    auto in = cuda_support::sorts_of_lengths<float>({64}, 3);
    for (std::size_t i = 0; i < 64; ++i) {
      in.lists.scores[i] = spread * static_cast<float>(i * i) / 4096.0f;
      in.values[i] = i % 2 == 0 ? 1.0f : -1.0f;
    }
    INFO("spread " << spread);
    if (spread < 1e-8f)  // rows differ by less than the CPU knows
      cuda_support::agrees(soft_sort{}, in, ctx, {cuda_support::sort_product::transposed});
    else
      cuda_support::agrees(soft_sort{}, in, ctx);
  }
}

TEMPLATE_TEST_CASE("cuda: soft_sort with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({1, 7, 33, 65}, 3);
  for (const auto distance : {sort_distance::absolute, sort_distance::squared}) {
    for (const double t : {1e-3, 1.0, 10.0}) {
      INFO("temperature " << t << ", distance " << static_cast<int>(distance));
      cuda_support::agrees(soft_sort{.temperature = t, .distance = distance}, in, ctx);
    }
    cuda_support::agrees(soft_sort{.temperature = 0.5, .distance = distance, .forward = sort_forward::hard},
                         in, ctx);
  }
}

}  // namespace cuda_sorts_soft_sort_test
