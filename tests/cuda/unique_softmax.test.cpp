// SPDX-License-Identifier: BSL-1.0
#include <rankloss/unique_softmax.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <array>

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
  cuda_support::agrees_at_every_length<unique_softmax, double, double>({.temperature = 0.01});
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
    cuda_support::agrees(unique_softmax{}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.relevance[i] += static_cast<double>(i % 3000) / 3000;  // many grades of three items
    cuda_support::agrees(unique_softmax{.temperature = 0.1}, in, ctx);
  }
}
TEST_CASE("cuda: unique_softmax with scores at any distance and gains of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const std::array<double, 3> table{0.5, 3.0, 2.0};
  for (const double spread : {1e-3, 10.0, 1e3, 1e10}) {
    INFO("spread " << spread);
    auto in = cuda_support::lists_of_lengths<double, double>({20, 70, 300}, 3, spread);
    cuda_support::agrees(unique_softmax{}, in, ctx);
    cuda_support::agrees(unique_softmax{.gain = gain::table, .gain_table = table}, in, ctx);
    for (std::size_t i = 0; i < in.scores.size(); ++i) {
      in.item_weights.push_back(1e100 * static_cast<double>(i % 3));
      in.relevance[i] *= 300.0;
    }
    cuda_support::agrees(unique_softmax{}, in, ctx);
    cuda_support::agrees(unique_softmax{.gain = gain::linear}, in, ctx);
  }
}

}  // namespace cuda_unique_softmax_test
