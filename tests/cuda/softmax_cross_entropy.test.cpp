// SPDX-License-Identifier: BSL-1.0
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

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
TEST_CASE("cuda: softmax_cross_entropy of lists in which one item has nearly all of the probability") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double gap : {3.0, 9.0, 14.0, 17.0})
    for (const std::size_t length : {2u, 3u, 40u, 300u}) {
      auto in = cuda_support::lists_of_lengths<float, int>({length}, 3);
      for (std::size_t i = 0; i < length; ++i) in.relevance[i] = i == length / 2 ? 3 : 0;
      for (float& score : in.scores) score = std::round(32.0f * score) / 32.0f;
      in.scores[length / 2] = 4.0f + static_cast<float>(gap);
      for (const double poly : {0.0, 2.0}) {
        INFO("gap " << gap << ", poly " << poly);
        cuda_support::agrees(softmax_cross_entropy{.target = target::relevance, .poly = poly}, in, ctx);
        const softmax_cross_entropy loss{.temperature = 1.25, .poly = poly};
        cuda_support::agrees(loss, in, ctx);
        const double value = cuda_support::on_host(loss, in).value;  // next to nothing
        CHECK(std::abs(cuda_support::on_device(loss, in, ctx).value - value) < 2e-6 * value);
      }
      // The same numbers without an exact target.
      in.relevance[0] = 1;
      cuda_support::agrees(softmax_cross_entropy{.target = target::softmax, .poly = 1.0}, in, ctx);
    }
}
TEST_CASE("cuda: softmax_cross_entropy of items that are all alike") {
  // The two shares of an item are products of the same size. Their difference is that of rounded numbers, as on
  // the CPU, and mostly 0, whatever a compiler makes one operation of.
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({2, 3, 5, 6, 7, 10, 11, 25, 49, 64, 70, 300}, 3);
  std::fill(in.scores.begin(), in.scores.end(), 0.5);
  for (const double y : {1.0, 3.0, 7.0, 1000003.0}) {
    std::fill(in.relevance.begin(), in.relevance.end(), y);
    INFO("relevance " << y);
    cuda_support::agrees(softmax_cross_entropy{.target = target::normalised}, in, ctx);
  }
}
TEST_CASE("cuda: softmax_cross_entropy of floats that lanes of float do not hold") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<float, int>({5, 40, 300}, 3);
  for (const double t : {1e-9, 1e-6, 1e6, 1e9}) {
    INFO("temperature " << t);
    cuda_support::agrees(softmax_cross_entropy{.temperature = t, .poly = 0.5}, in, ctx);
    cuda_support::agrees(
        softmax_cross_entropy{.target = target::softmax, .relevance_temperature = t, .poly = 0.5}, in, ctx);
  }
  cuda_support::agrees(softmax_cross_entropy{.poly = 1e20}, in, ctx);
  auto far = in;
  far.scores[7] = 3e38f;
  far.scores[50] = -3e38f;
  cuda_support::agrees(softmax_cross_entropy{.poly = 0.5}, far, ctx);
  for (const double weight : {1e-300, 1e-30, 1e-12, 1e12, 1e30, 1e300}) {
    auto weighted = in;
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      weighted.item_weights.push_back(weight * static_cast<double>(i % 3));
    INFO("weights of " << weight);
    cuda_support::agrees(softmax_cross_entropy{.poly = 0.5}, weighted, ctx);
  }
  // Grades that are no floats: they differ by less than floats there do.
  auto graded = in;
  for (int& y : graded.relevance) y += 100'000'000;
  cuda_support::agrees(softmax_cross_entropy{.target = target::softmax}, graded, ctx);
}

TEST_CASE(
    "cuda: softmax_cross_entropy where what is worth nothing weighs much, or what weighs nothing is worth much") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const bool weighs : {true, false}) {
    INFO((weighs ? "great weight" : "great relevance"));
    auto in = cuda_support::lists_of_lengths<double, double>({5, 40, 300, 17000}, 3);
    for (std::size_t i = 0; i < in.scores.size(); ++i) {
      const bool alone = i % 3 == 0;
      in.relevance[i] = alone ? (weighs ? 0.0 : 1e300) : static_cast<double>(i % 4);
      in.item_weights.push_back(alone ? (weighs ? 1e300 : 0.0) : 1e-300);
    }
    cuda_support::agrees(softmax_cross_entropy{}, in, ctx);
    cuda_support::agrees(softmax_cross_entropy{.target = target::normalised}, in, ctx);
  }
}

TEMPLATE_TEST_CASE("cuda: softmax_cross_entropy of floats with relevance of any type", "", std::int8_t,
                   std::uint64_t, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, TestType>({5, 40, 300}, 3);
  for (const auto kind : {target::relevance, target::normalised, target::softmax})
    cuda_support::agrees(softmax_cross_entropy{.target = kind, .poly = 0.5}, in, ctx);
  if constexpr (sizeof(TestType) == 8) {
    // Numbers that no float has, and differ by less than floats there do.
    for (TestType& y : in.relevance) y = static_cast<TestType>(y + TestType{1'000'000'000});
    cuda_support::agrees(softmax_cross_entropy{.target = target::softmax}, in, ctx);
  }
}

}  // namespace cuda_softmax_cross_entropy_test
