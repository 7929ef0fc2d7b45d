// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>

#include "cuda/support/metric_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_ndcg_test {

using rankloss::metrics::ndcg;

TEST_CASE("cuda: ndcg at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<ndcg, double, double>({});
  cuda_support::agrees_at_every_length<ndcg, float, int>({.cutoff = 20});
}
TEST_CASE("cuda: ndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<ndcg, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: ndcg of doubles") { cuda_support::keeps_the_promises_of_lists<ndcg, double, double>({}); }
TEST_CASE("cuda: ndcg with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<ndcg>(
      {{.gain = rankloss::gain::linear, .cutoff = 7, .ideal = rankloss::ideal::competition_ranks}});
}
TEST_CASE("cuda: ndcg of floats with ties, infinite scores and weights of any size") {
  cuda_support::agrees_with_ties<ndcg, float, int>(
      {{.gain = rankloss::gain::linear, .cutoff = 7, .ideal = rankloss::ideal::competition_ranks}});
}
TEST_CASE("cuda: ndcg by competition ranks of gains that floats cannot tell apart") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({40, 300}, 5);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(1.0 + 1e-10 * static_cast<double>(i * 7 % 11));
  for (const auto how : {rankloss::ideal::sorted, rankloss::ideal::competition_ranks})
    cuda_support::agrees(ndcg{.ideal = how}, in, ctx);
}
TEST_CASE("cuda: ndcg of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<ndcg, float, int>({.cutoff = 3000}, 4700);
}
TEST_CASE("cuda: ndcg of long lists with ties over many tiles") {
  cuda_support::agrees_with_ties_in_long_lists<ndcg>(
      {{.gain = rankloss::gain::linear, .cutoff = 6000, .ideal = rankloss::ideal::competition_ranks}, {}});
}
TEST_CASE("cuda: ndcg of an ideal order is exactly 1") { cuda_support::is_one_in_ideal_order<ndcg>(); }

}  // namespace cuda_metrics_ndcg_test
