// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/sorting_network.hpp>

#include "cuda/support/sort_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_sorts_sorting_network_test {

using rankloss::comparator;
using rankloss::network;
using rankloss::sort_direction;
using rankloss::sorting_network;

TEST_CASE("cuda: sorting_network of floats, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<sorting_network, float>({.comparator = comparator::reciprocal},
                                                                    1025);
}
TEST_CASE("cuda: sorting_network of doubles, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<sorting_network, double>({.comparator = comparator::optimal},
                                                                     257);
}
TEST_CASE("cuda: sorting_network of neighbours, at every length", "[lengths]") {
  cuda_support::sort_agrees_at_every_length<sorting_network, float>(
      {.network = network::odd_even, .comparator = comparator::reciprocal}, 129);
}
TEMPLATE_TEST_CASE("cuda: sorting_network", "", float, double) {
  cuda_support::keeps_the_promises_of_sorts<sorting_network, TestType>({}, 520);
}
TEMPLATE_TEST_CASE("cuda: sorting_network with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::sorts_of_lengths<TestType>({1, 2, 7, 22, 33}, 3);
  for (const auto net : {network::odd_even, network::bitonic})
    for (const auto how : {comparator::logistic, comparator::logistic_phi, comparator::gaussian,
                           comparator::reciprocal, comparator::cauchy, comparator::optimal})
      for (const auto direction : {sort_direction::descending, sort_direction::ascending}) {
        INFO("network " << static_cast<int>(net) << ", comparator " << static_cast<int>(how) << ", direction "
                        << static_cast<int>(direction));
        cuda_support::agrees(sorting_network{0.3, net, how, direction}, in, ctx);
      }
}

}  // namespace cuda_sorts_sorting_network_test
