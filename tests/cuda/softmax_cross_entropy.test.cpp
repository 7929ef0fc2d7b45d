// SPDX-License-Identifier: BSL-1.0
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_softmax_cross_entropy_test {

using rankloss::softmax_cross_entropy;
using rankloss::target;

TEST_CASE("cuda: softmax_cross_entropy of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<softmax_cross_entropy, float, int>(
      {.temperature = 0.5, .target = target::relevance, .poly = 0.5});
}
TEST_CASE("cuda: softmax_cross_entropy of floats") {
  cuda_support::keeps_the_promises_of_lists<softmax_cross_entropy, float, int>(
      {.temperature = 0.5, .target = target::relevance, .poly = 0.5});
}
TEST_CASE("cuda: softmax_cross_entropy of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<softmax_cross_entropy, double, double>({.poly = -1.0});
}
TEST_CASE("cuda: softmax_cross_entropy of doubles") {
  cuda_support::keeps_the_promises_of_lists<softmax_cross_entropy, double, double>({.poly = -1.0});
}
TEST_CASE("cuda: softmax_cross_entropy of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<softmax_cross_entropy, float, int>(
      {.temperature = 0.5, .target = target::relevance, .poly = 0.5}, 17000);
}
TEST_CASE("cuda: softmax_cross_entropy of long lists of doubles, of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<double, double>({17000}, 3);
  cuda_support::agrees(softmax_cross_entropy{.poly = -1.0}, in, ctx);
  for (const double size : {1e-250, 1e250})
    for (const auto kind : {target::relevance, target::softmax}) {
      auto scaled = in;
      for (double& y : scaled.relevance) y *= kind == target::softmax ? 1.0 : size;
      for (std::size_t i = 0; i < in.scores.size(); ++i)
        scaled.item_weights.push_back(size * static_cast<double>(i % 3));
      INFO("size " << size << ", target " << static_cast<int>(kind));
      cuda_support::agrees(softmax_cross_entropy{.target = kind}, scaled, ctx);
    }
}
TEST_CASE("cuda: softmax_cross_entropy of a list of 100 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(softmax_cross_entropy{}, cuda_support::lists_of_lengths<float, int>({100000}, 3), ctx);
}
TEST_CASE("cuda: softmax_cross_entropy with weights and relevance of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 70}, 3);
  for (const double size : {1e-250, 1e250})
    for (const auto kind : {target::relevance, target::normalised, target::softmax}) {
      auto scaled = in;
      for (double& y : scaled.relevance) y *= kind == target::softmax ? 1.0 : size;
      for (std::size_t i = 0; i < in.scores.size(); ++i)
        scaled.item_weights.push_back(size * static_cast<double>(1 + i % 3));
      INFO("size " << size << ", target " << static_cast<int>(kind));
      cuda_support::agrees(softmax_cross_entropy{.target = kind}, scaled, ctx);
    }
}

}  // namespace cuda_softmax_cross_entropy_test
