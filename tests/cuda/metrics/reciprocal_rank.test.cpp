// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/reciprocal_rank.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_reciprocal_rank_test {

using rankloss::metrics::reciprocal_rank;

TEST_CASE("cuda: reciprocal_rank at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<reciprocal_rank, double, double>({});
}
TEST_CASE("cuda: reciprocal_rank of floats") {
  cuda_support::keeps_the_promises_of_lists<reciprocal_rank, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: reciprocal_rank of doubles") {
  cuda_support::keeps_the_promises_of_lists<reciprocal_rank, double, double>({});
}
TEST_CASE("cuda: reciprocal_rank with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<reciprocal_rank>();
}

}  // namespace cuda_metrics_reciprocal_rank_test
