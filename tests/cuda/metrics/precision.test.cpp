// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/precision.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_precision_test {

using rankloss::metrics::precision;

TEST_CASE("cuda: precision at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<precision, double, double>({.cutoff = 10});
}
TEST_CASE("cuda: precision of floats") {
  cuda_support::keeps_the_promises_of_lists<precision, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: precision of doubles") {
  cuda_support::keeps_the_promises_of_lists<precision, double, double>({});
}
TEST_CASE("cuda: precision of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<precision, float, int>({.cutoff = 3000}, 4700);
}
TEST_CASE("cuda: precision of long lists with ties over many tiles") {
  cuda_support::agrees_with_ties_in_long_lists<precision>({{.cutoff = 6000}, {}});
}
TEST_CASE("cuda: precision with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<precision>(
      {{.cutoff = 7, .over = rankloss::metrics::precision_over::retrieved}});
}

}  // namespace cuda_metrics_precision_test
