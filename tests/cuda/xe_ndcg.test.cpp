// SPDX-License-Identifier: BSL-1.0
#include <rankloss/xe_ndcg.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_xe_ndcg_test {

using rankloss::gammas;
using rankloss::xe_ndcg;

TEST_CASE("cuda: xe_ndcg at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<xe_ndcg, float, int>({.seed = 0x123456789abcdef0});
  cuda_support::agrees_at_every_length<xe_ndcg, double, double>({.temperature = 0.3, .seed = 5});
}
TEST_CASE("cuda: xe_ndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<xe_ndcg, float, int>({.gammas = gammas::constant, .gamma = 1.0});
}
TEST_CASE("cuda: xe_ndcg of doubles") {
  cuda_support::keeps_the_promises_of_lists<xe_ndcg, double, double>(
      {.gammas = gammas::constant, .gamma = 0.25});
}
TEST_CASE("cuda: xe_ndcg of long lists") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(xe_ndcg{.seed = 7}, cuda_support::lists_of_lengths<float, int>({3, 17000, 16385}, 3),
                       ctx);
  auto in = cuda_support::lists_of_lengths<double, double>({17000}, 4);
  for (double& y : in.relevance) y *= 300.0;
  cuda_support::agrees(xe_ndcg{.gammas = gammas::constant, .gamma = 0.25}, in, ctx);
}
TEST_CASE("cuda: xe_ndcg with weights and relevance of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 70}, 3);
  for (const double size : {1e-250, 1.0, 300.0, 1e250})
    for (const double gamma : {0.5, 1.0}) {
      auto scaled = in;
      for (double& y : scaled.relevance) y *= size;
      for (std::size_t i = 0; i < in.scores.size(); ++i)
        scaled.item_weights.push_back(size * static_cast<double>(1 + i % 3));
      INFO("size " << size << ", gamma " << gamma);
      cuda_support::agrees(xe_ndcg{.gammas = gammas::constant, .gamma = gamma}, scaled, ctx);
      cuda_support::agrees(xe_ndcg{.seed = 7}, scaled, ctx);
    }
}

}  // namespace cuda_xe_ndcg_test
