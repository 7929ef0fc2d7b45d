// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listnet.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_listnet_test {

TEST_CASE("cuda: listnet of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rankloss::listnet, float, int>(
      {.temperature = 0.7, .relevance_temperature = 2.0});
}
TEST_CASE("cuda: listnet of floats") {
  cuda_support::keeps_the_promises_of_lists<rankloss::listnet, float, int>(
      {.temperature = 0.7, .relevance_temperature = 2.0});
}
TEST_CASE("cuda: listnet of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<rankloss::listnet, double, double>(
      {.temperature = 0.7, .relevance_temperature = 2.0});
}
TEST_CASE("cuda: listnet of doubles") {
  cuda_support::keeps_the_promises_of_lists<rankloss::listnet, double, double>(
      {.temperature = 0.7, .relevance_temperature = 2.0});
}
TEST_CASE("cuda: listnet of long lists") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(rankloss::listnet{.temperature = 0.7},
                       cuda_support::lists_of_lengths<float, int>({300, 17000}, 3), ctx);
}

}  // namespace cuda_listnet_test
