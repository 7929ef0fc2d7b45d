// SPDX-License-Identifier: BSL-1.0
#include <rankloss/unique_softmax.hpp>

#include "cuda/support/draw_checks.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>

namespace cuda_unique_softmax_test {

using rankloss::gain;
using rankloss::unique_softmax;

TEST_CASE("cuda: unique_softmax of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<unique_softmax, float, int>({.temperature = 0.5});
}
TEST_CASE("cuda: unique_softmax of floats") {
  cuda_support::keeps_the_promises_of_lists<unique_softmax, float, int>({.gain = gain::linear});
}
TEST_CASE("cuda: unique_softmax of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<unique_softmax, double, double>({});
}
TEST_CASE("cuda: unique_softmax of doubles that are far apart, at every length", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees_where_curvatures_cancel(
      unique_softmax{.temperature = 0.01},
      cuda_support::lists_of_lengths<double, double>(cuda_support::all_lengths(4097), 1), ctx);
}
TEST_CASE("cuda: unique_softmax of doubles") {
  cuda_support::keeps_the_promises_of_lists<unique_softmax, double, double>({});
}
TEST_CASE("cuda: unique_softmax of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<unique_softmax, float, int>({.gain = gain::linear}, 4700);
}
TEST_CASE("cuda: unique_softmax of long lists of doubles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double spread : {1.0, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<double, double>({9000}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.relevance[i] += static_cast<double>(i % 3000) / 3000;  // many grades of three items
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{.temperature = 0.1}, in, ctx);
  }
}
TEST_CASE("cuda: unique_softmax with scores at any distance and gains of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const std::array<double, 3> table{0.5, 3.0, 2.0};
  for (const double spread : {1e-3, 10.0, 1e3, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<double, double>({20, 70, 300}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{.gain = gain::table, .gain_table = table}, in,
                                                 ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i) {
      in.item_weights.push_back(1e100 * static_cast<double>(i % 3));
      in.relevance[i] *= 300.0;
    }
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{.gain = gain::linear}, in, ctx);
  }
}

TEST_CASE("cuda: unique_softmax of floats near to each other and far apart") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const std::array<double, 4> table{0.5, 3.0, 1e-20, 2.0};
  // Lists within 90 temperatures are computed by plain sums, others are not.
  for (const double spread : {0.0, 1e-3, 5.0, 25.0, 1e3, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<float, int>({2, 20, 70, 300}, 3, spread);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, in, ctx);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{.gain = gain::table, .gain_table = table}, in,
                                                 ctx);
    auto great = in;
    for (int& y : great.relevance) y *= 20;  // beyond what a float is exactly
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, great, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(i % 5 == 0 ? 0.0 : std::pow(10.0, static_cast<double>(i % 61) - 30.0));
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, in, ctx);
  }
  const auto in = cuda_support::lists_of_lengths<float, int>({5, 40, 300}, 3);
  for (const double t : {1e-9, 1e-6, 0.02, 1e6, 1e9}) {
    INFO("temperature " << t);
    cuda_support::agrees_where_curvatures_cancel(unique_softmax{.temperature = t}, in, ctx);
  }
  auto far = in;
  far.scores[7] = 3e38f;
  far.scores[50] = -3e38f;
  cuda_support::agrees_where_curvatures_cancel(unique_softmax{}, far, ctx);
}
TEST_CASE("cuda: unique_softmax of floats in an order that is nearly certain") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const float gap : {3.0f, 9.0f, 15.0f})
    for (const std::size_t length : {2u, 9u}) {
      auto in = cuda_support::lists_of_lengths<float, int>({length}, 3);
      for (std::size_t i = 0; i < length; ++i) {
        in.relevance[i] = static_cast<int>(i * 5 % length / 2);
        in.scores[i] = gap * static_cast<float>(in.relevance[i]);
      }
      in.relevance[0] = 5;
      in.scores[0] = 5.0f * gap;
      INFO("gap " << gap << ", " << length << " items");
      const unique_softmax loss{};
      cuda_support::agrees_where_the_order_is_certain(loss, in, ctx);
    }
}
TEST_CASE("cuda: unique_softmax of floats of which some are drawn for certain") {
  cuda_support::agrees_where_draws_are_certain<unique_softmax>();
}
TEST_CASE("cuda: unique_softmax of floats with relevance of 64 bits") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, double>({5, 40, 300, 4700}, 3);
  cuda_support::agrees(unique_softmax{}, in, ctx);
  for (std::size_t i = 0; i < in.relevance.size(); ++i) in.relevance[i] += 0.1 * static_cast<double>(i % 7);
  cuda_support::agrees(unique_softmax{}, in, ctx);
}

}  // namespace cuda_unique_softmax_test
