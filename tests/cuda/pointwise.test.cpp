// SPDX-License-Identifier: BSL-1.0
#include <rankloss/pointwise.hpp>

#include "cuda/support/list_checks.hpp"
#include "cuda/support/odd_numbers.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
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
TEST_CASE("cuda: pointwise of odd floats") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  const std::vector<double> thresholds{-3.0, -1e-3, 1e-3, 0.1, 40.0};
  cuda_support::odd_numbers random(5);
  // Scores of one size in each list, which are near their relevance in every other one; and relevance of
  // fractions.
  cuda_support::host_lists<float, float> in;
  in.offsets = {0};
  for (int l = 0; l < 300; ++l) {
    const double spread = std::pow(10.0, random.any(-6.0, 12.0));
    const int n = 1 + static_cast<int>(random() % 6);
    for (int i = 0; i < n; ++i) {
      const double y = l % 3 == 0 ? random.any(0.0, 1.0) : static_cast<double>(random() % 6);
      const double near = l % 3 == 0 ? std::log(y / (1.0 - y)) : y == 0.0 ? -8.0 : y;
      in.relevance.push_back(static_cast<float>(y));
      in.scores.push_back(static_cast<float>(l % 2 == 0 ? near + 1e-6 * random.any(-spread, spread)
                                                        : random.any(-spread, spread)));
    }
    in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
  }
  in.reduction = reduction::sum;
  const auto with = [&](item_reduction over) {
    INFO("reduction " << static_cast<int>(over) << ", weights " << in.item_weights.size());
    cuda_support::agrees(pointwise_squared{.over_items = over}, in, ctx);
    cuda_support::agrees(pointwise_logistic{.over_items = over}, in, ctx);
    cuda_support::agrees(pointwise_ordinal{.function = {.thresholds = thresholds}, .over_items = over}, in,
                         ctx);
    for (const double beta : {1e-15, 1e-8, 0.3, 1.0, 1e8, 1e300})
      cuda_support::agrees(pointwise_smooth_l1{.function = {.beta = beta}, .over_items = over}, in, ctx);
  };
  with(item_reduction::mean);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(i % 4 == 0 ? 0.0 : std::pow(10.0, random.any(-30.0, i % 2 == 0 ? 20.0 : 3.0)));
  with(item_reduction::mean);
  with(item_reduction::sum);
}
TEST_CASE("cuda: pointwise is on the side of a bound that the CPU is on") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  // Distances of a few units in the last place from beta, which decide the curvature, and less than one.
  for (const float y : {0.0f, 1e-9f, 0.25f}) {
    cuda_support::host_lists<float, float> in;
    for (int k = -40; k <= 40; ++k) {
      in.relevance.push_back(y);
      in.scores.push_back(y + 0.3f + static_cast<float>(k) * 0x1p-25f);
    }
    for (const double more : {-1e-9, 0.0, 1e-9})
      cuda_support::agrees(pointwise_smooth_l1{.function = {.beta = static_cast<double>(0.3f) + more}}, in,
                           ctx);
  }
}
TEST_CASE("cuda: pointwise midway between thresholds that are near to each other") {
  const cuda_support::stream own;
  cuda::context ctx(own);
  cuda_support::host_lists<double, double> in;
  in.offsets = {0};
  const std::vector<double> thresholds{0.3, 0.3 + 0x1p-40, 0.3 + 0x1p-20, 0.5};
  for (std::size_t k = 1; k < thresholds.size(); ++k)
    for (const double share : {0.5 - 0x1p-9, 0.5, 0.625}) {
      in.scores.push_back(thresholds[k - 1] + share * (thresholds[k] - thresholds[k - 1]));
      in.relevance.push_back(static_cast<double>(k));
      in.offsets.push_back(static_cast<std::int64_t>(in.scores.size()));
    }
  in.reduction = reduction::sum;
  cuda_support::agrees(pointwise_ordinal{.function = {.thresholds = thresholds}}, in, ctx);
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
