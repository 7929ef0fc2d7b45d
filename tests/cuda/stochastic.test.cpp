// SPDX-License-Identifier: BSL-1.0
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/stochastic.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace cuda_stochastic_test {

using rankloss::neural_ndcg;
using rankloss::sndcg;
using rankloss::stochastic;

TEST_CASE("cuda: stochastic sndcg of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<stochastic<sndcg>, float, int>(
      {.loss = {.temperature = 0.5}, .noise = 0.3, .samples = 2, .seed = 3}, 257);
}
// Without noise, since that of a list goes by its number in the batch.
TEST_CASE("cuda: stochastic sndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<stochastic<sndcg>, float, int>(
      {.loss = {.temperature = 0.5}, .noise = 0.0, .samples = 2}, 300);
}
// With memory of the device for each item, and items that do not count.
TEST_CASE("cuda: stochastic neural_ndcg of doubles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({4 * 30}, 5);
  in.offsets.clear();
  in.length = 27;
  in.stride = 31;
  in.scores.resize(3 * 31 + 27);
  in.relevance.resize(in.scores.size());
  in.lengths = {0, 27, 3, 20};
  for (std::size_t i = 0; i < in.scores.size(); ++i) in.mask.push_back(i % 3 > 0 ? 1 : 0);
  const stochastic<neural_ndcg> loss{
      .loss = {.temperature = 0.5, .steps = 2}, .noise = 0.3, .samples = 2, .seed = 1};
  cuda_support::agrees(loss, in, ctx);
  cuda_support::agrees(loss, cuda_support::lists_of_lengths<double, double>({3, 0, 40, 300}, 5), ctx);
}
TEST_CASE("cuda: the noise of stochastic goes by seed, sample and list") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({5, 12, 40}, 3);
  // Two lists of the same scores have noise of their own.
  in.scores.insert(in.scores.end(), in.scores.begin() + 17, in.scores.end());
  in.relevance.insert(in.relevance.end(), in.relevance.begin() + 17, in.relevance.end());
  in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}})
    for (const std::size_t samples : {1, 5}) {
      INFO("seed " << seed << ", " << samples << " samples");
      const stochastic<neural_ndcg> loss{
          .loss = {.temperature = 0.5, .steps = 0}, .noise = 1.0, .samples = samples, .seed = seed};
      cuda_support::agrees(loss, in, ctx);
      const auto lists = cuda_support::on_device(loss, in, ctx).per_list;
      CHECK(lists[2] != lists[3]);
    }
  in.scores[3] = -std::numeric_limits<double>::infinity();
  cuda_support::agrees(stochastic<neural_ndcg>{.loss = {.temperature = 0.5, .steps = 0}, .samples = 3}, in,
                       ctx);
}

}  // namespace cuda_stochastic_test
