// SPDX-License-Identifier: BSL-1.0
#include <rankloss/pointwise.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace cuda_pointwise_test {

using namespace rankloss;

TEST_CASE("cuda: pointwise at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<pointwise_logistic, float, int>({});
  cuda_support::agrees_at_every_length<pointwise_squared, double, double>({});
}
TEST_CASE("cuda: pointwise of floats") {
  cuda_support::keeps_the_promises_of_lists<pointwise_logistic, float, int>(
      {.over_items = item_reduction::sum});
}
TEST_CASE("cuda: pointwise of doubles") {
  cuda_support::keeps_the_promises_of_lists<pointwise_smooth_l1, double, double>({.function = {.beta = 0.5}});
}
TEST_CASE("cuda: pointwise of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<pointwise_logistic, float, int>({}, 17000);
}
TEST_CASE("cuda: pointwise of long lists of doubles") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({17000, 20}, 3);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
  for (const auto over : {item_reduction::mean, item_reduction::sum})
    cuda_support::agrees(pointwise_smooth_l1{.function = {.beta = 0.5}, .over_items = over}, in, ctx);
}
TEST_CASE("cuda: pointwise with every function") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  const std::vector<double> thresholds{-0.5, 0.0, 0.75};
  const auto with = [&](const auto& in) {
    for (const auto over : {item_reduction::mean, item_reduction::sum}) {
      cuda_support::agrees(pointwise_squared{.over_items = over}, in, ctx);
      cuda_support::agrees(pointwise_logistic{.over_items = over}, in, ctx);
      cuda_support::agrees(pointwise_ordinal{.function = {.thresholds = thresholds}, .over_items = over}, in,
                           ctx);
      cuda_support::agrees(pointwise_smooth_l1{.function = {.beta = 0.5}, .over_items = over}, in, ctx);
    }
  };
  auto in = cuda_support::lists_of_lengths<double, double>({1, 20, 70, 300}, 3);
  with(in);
  with(cuda_support::lists_of_lengths<float, int>({1, 20, 70, 300}, 3));
  in.scores[5] = INFINITY;
  in.scores[30] = -INFINITY;
  with(in);
  for (const double size : {1e-200, 1.0, 1e200}) {
    in.item_weights.clear();
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(size * static_cast<double>(i % 3));
    with(in);
  }
}
TEST_CASE("cuda: pointwise takes few thresholds") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  std::vector<double> thresholds;
  for (int k = 0; k < 65; ++k) thresholds.push_back(k);
  const auto in = cuda_support::lists_of_lengths<double, double>({20}, 3);
  pointwise_ordinal loss{.function = {.thresholds = std::span(thresholds).first(64)}};
  cuda_support::agrees(loss, in, ctx);
  loss.function.thresholds = thresholds;
  CHECK_THROWS_WITH(cuda_support::on_device(loss, in, ctx),
                    "rankloss: thresholds: size 65, expected at most 64 on a device");
}

}  // namespace cuda_pointwise_test
