// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/reciprocal_rank.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

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

TEST_CASE("cuda: reciprocal_rank of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<reciprocal_rank, float, int>({.cutoff = 5}, 17000);
}
TEST_CASE("cuda: reciprocal_rank of long lists with ties over many tiles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({17000, 20000, 16500}, 3);
  std::fill(in.relevance.begin(), in.relevance.end(), 0.0);
  for (double& score : in.scores) score = std::min(std::round(score), 0.0);
  // A match among thousands of items, after some of greater score; some matches; none.
  in.scores[7] = in.scores[9000] = 1.0;
  in.relevance[13001] = 2.0;
  in.scores[13001] = 0.0;
  for (std::size_t i = 17000; i < 37000; i += 4000) in.relevance[i] = 1.0;
  for (const std::size_t cutoff : {0, 1, 6000}) {
    INFO("cutoff " << cutoff);
    cuda_support::agrees(reciprocal_rank{.cutoff = cutoff}, in, ctx);
  }
  std::fill(in.scores.begin(), in.scores.end(), -std::numeric_limits<double>::infinity());
  in.item_weights.assign(in.scores.size(), 0.5);
  in.item_weights[17000] = 0.0;
  cuda_support::agrees(reciprocal_rank{}, in, ctx);
}

}  // namespace cuda_metrics_reciprocal_rank_test
