// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/recall.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_recall_test {

using rankloss::metrics::recall;

TEST_CASE("cuda: recall at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<recall, double, double>({});
}
TEST_CASE("cuda: recall of floats") {
  cuda_support::keeps_the_promises_of_lists<recall, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: recall of doubles") {
  cuda_support::keeps_the_promises_of_lists<recall, double, double>({});
}
TEST_CASE("cuda: recall of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<recall, float, int>({.cutoff = 3000}, 4700);
}
TEST_CASE("cuda: recall of long lists with ties over many tiles") {
  cuda_support::agrees_with_ties_in_long_lists<recall>({{.cutoff = 6000}, {}});
}
TEST_CASE("cuda: recall with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<recall>();
}
TEST_CASE("cuda: recall of an ideal order is exactly 1") { cuda_support::is_one_in_ideal_order<recall>(); }

}  // namespace cuda_metrics_recall_test
