// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/projected_sort.hpp>

#include "cuda/support/projection_checks.hpp"
#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_sorts_projected_sort_test {

using rankloss::projected_sort;
using rankloss::regularization;
using rankloss::sort_direction;

TEST_CASE("cuda: projected_sort at every length", "[lengths]") {
  SECTION("quadratic, of floats") {
    cuda_support::agrees_at_every_length<projected_sort, float>({.temperature = 100.0});
  }
  SECTION("entropic, of doubles") {
    cuda_support::agrees_at_every_length<projected_sort, double>(
        {.temperature = 100.0, .regularization = regularization::entropic}, 1025);
  }
}
TEMPLATE_TEST_CASE("cuda: projected_sort", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<projected_sort, TestType>({.temperature = 10.0});
}

TEST_CASE("cuda: projected_sort of long lists") {
  SECTION("quadratic, of floats") {
    cuda_support::keeps_the_promises_of_long_ranks<projected_sort, float>({.temperature = 1000.0}, 4200);
  }
  SECTION("entropic, of doubles") {
    const cuda_support::stream own;
    rankloss::cuda::context ctx(own);
    cuda_support::agrees(projected_sort{.temperature = 1000.0,
                                        .direction = rankloss::sort_direction::ascending,
                                        .regularization = regularization::entropic},
                         cuda_support::scores_of_lengths<double>({4700}, 3), ctx);
  }
}
TEST_CASE("cuda: projected_sort of 30 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(projected_sort{.temperature = 10000.0},
                       cuda_support::scores_of_lengths<float>({30000}, 3), ctx,
                       {cuda_support::asked::values});
}

TEMPLATE_TEST_CASE("cuda: projected_sort of scores whose blocks are of every size", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::shapes_of_gaps<TestType>(400);
  for (const auto form : {regularization::quadratic, regularization::entropic})
    for (const auto direction : {sort_direction::descending, sort_direction::ascending}) {
      INFO("form " << static_cast<int>(form) << ", direction " << static_cast<int>(direction));
      for (const double t : {0.9, 3.0})
        cuda_support::agrees(projected_sort{.temperature = t, .direction = direction, .regularization = form},
                             in, ctx);
    }
}

TEST_CASE("cuda: projected_sort with outliers and ties") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const auto form : {regularization::quadratic, regularization::entropic})
    for (const auto direction : {sort_direction::descending, sort_direction::ascending})
      for (const auto& in : {cuda_support::outliers(500), cuda_support::few_values(500)})
        for (const double t : {0.1, 100.0}) {
          INFO("form " << static_cast<int>(form) << ", direction " << static_cast<int>(direction)
                       << ", temperature " << t);
          cuda_support::agrees(
              projected_sort{.temperature = t, .direction = direction, .regularization = form}, in, ctx);
        }
  // Of floats those whose distances take few binary places are pooled by whole numbers, and others by states.
  for (const auto direction : {sort_direction::descending, sort_direction::ascending})
    for (const auto& in : {cuda_support::outliers<float>(500), cuda_support::few_values<float>(500),
                           cuda_support::scores_of_lengths<float>({1, 2, 33, 700, 2000}, 15)})
      for (const double t : {1e-9, 1e-3, 0.1, 3.0, 1e3, 1e9, 1e30}) {
        INFO("floats, temperature " << t);
        cuda_support::agrees(projected_sort{.temperature = t, .direction = direction}, in, ctx);
      }
}

}  // namespace cuda_sorts_projected_sort_test
