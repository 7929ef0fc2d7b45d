// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_average_precision_test {

using rankloss::metrics::average_precision;

TEST_CASE("cuda: average_precision at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<average_precision, double, double>({});
  cuda_support::agrees_at_every_length<average_precision, float, int>({.cutoff = 20});
}
TEST_CASE("cuda: average_precision of floats") {
  cuda_support::keeps_the_promises_of_lists<average_precision, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: average_precision of doubles") {
  cuda_support::keeps_the_promises_of_lists<average_precision, double, double>({});
}
TEST_CASE("cuda: average_precision of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<average_precision, float, int>(
      {.cutoff = 3000, .over = rankloss::metrics::average_precision_over::attainable}, 4700);
}
TEST_CASE("cuda: average_precision of long lists with ties over many tiles") {
  cuda_support::agrees_with_ties_in_long_lists<average_precision>(
      {{.cutoff = 6000}, {.cutoff = 50, .over = rankloss::metrics::average_precision_over::attainable}});
}
TEST_CASE("cuda: average_precision with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<average_precision>(
      {{.cutoff = 7, .over = rankloss::metrics::average_precision_over::attainable}});
}
TEST_CASE("cuda: average_precision of floats with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<average_precision, float, int>(
      {{.cutoff = 7, .over = rankloss::metrics::average_precision_over::attainable}});
}

}  // namespace cuda_metrics_average_precision_test
