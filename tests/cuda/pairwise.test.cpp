// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_pairwise_test {

using rankloss::pairwise;
namespace pairs = rankloss::pairs;

/// Time grows with the square of the length.
constexpr std::size_t longest = 257;

TEST_CASE("cuda: ranknet of floats") {
  cuda_support::keeps_the_promises_of_lists<rankloss::ranknet, float, int>(
      {.function = {.temperature = 0.5}, .average = pairs::average::pairs}, longest);
}
TEST_CASE("cuda: ranknet of doubles") {
  cuda_support::keeps_the_promises_of_lists<rankloss::ranknet, double, double>({}, longest);
}
TEST_CASE("cuda: lambdarank of floats") {
  cuda_support::keeps_the_promises_of_lists<rankloss::lambdarank, float, int>({}, longest);
}
TEST_CASE("cuda: lambdarank of doubles") {
  cuda_support::keeps_the_promises_of_lists<rankloss::lambdarank, double, double>({.weight = {.cutoff = 10}}, longest);
}

}  // namespace cuda_pairwise_test
