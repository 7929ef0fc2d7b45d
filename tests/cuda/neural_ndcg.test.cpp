// SPDX-License-Identifier: BSL-1.0
#include <rankloss/neural_ndcg.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

namespace cuda_neural_ndcg_test {

using rankloss::gain;
using rankloss::neural_ndcg;
using rankloss::sinkhorn_derivative;

TEST_CASE("cuda: neural_ndcg of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<neural_ndcg, float, int>({.temperature = 0.1, .steps = 1});
}
TEST_CASE("cuda: neural_ndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<neural_ndcg, float, int>(
      {.temperature = 0.2, .steps = 3, .tolerance = 1e-2}, 700);
}
TEST_CASE("cuda: neural_ndcg of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<neural_ndcg, double, double>({.temperature = 0.1, .steps = 1});
}
TEST_CASE("cuda: neural_ndcg of doubles") {
  cuda_support::keeps_the_promises_of_lists<neural_ndcg, double, double>(
      {.temperature = 0.3, .steps = 3, .tolerance = 1e-2}, 700);
}

TEST_CASE("cuda: neural_ndcg of long lists of floats") {
  cuda_support::keeps_the_promises_of_long_lists<neural_ndcg, float, int>(
      {.temperature = 0.003, .steps = 2, .tolerance = 1e-2}, 4200, 500);
}
TEST_CASE("cuda: neural_ndcg of long lists of doubles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  // Lists that stop scaling after different numbers of steps, one of which has nothing relevant.
  auto in = cuda_support::lists_of_lengths<double, double>({4200, 300, 4200, 5000}, 4);
  for (std::size_t i = 0; i < 4200; ++i) in.scores[i] *= 4.0;
  for (std::size_t i = 4500; i < 8700; ++i) in.relevance[i] = 0.0;
  for (std::size_t i = 8700; i < in.scores.size(); i += 700) in.scores[i] = i % 1400 == 0 ? 1e6 : -1e6;
  for (const std::size_t steps : {0, 1, 6}) {
    INFO(steps << " steps");
    cuda_support::agrees(neural_ndcg{.temperature = 0.02, .steps = steps, .tolerance = 0.1}, in, ctx);
  }
  for (double& y : in.relevance) y *= 300.0;
  cuda_support::agrees(
      neural_ndcg{.temperature = 0.02, .gain = gain::linear, .cutoff = 3000, .steps = 1, .tolerance = 0.0},
      in, ctx);
}
TEST_CASE("cuda: neural_ndcg of long lists with the implicit derivative") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({4200}, 4);
  cuda_support::gather_in_threes(in.scores, 0.1);
  cuda_support::agrees(
      neural_ndcg{
          .temperature = 0.1, .steps = 2, .tolerance = 0.0, .derivative = sinkhorn_derivative::implicit},
      in, ctx);
}

// The scores of the two items are close, as the gradient of a list that is sorted hard vanishes.
template <class T, class R>
[[nodiscard]] cuda_support::host_lists<T, R> lists() {
  auto in = cuda_support::lists_of_lengths<T, R>({1, 2, 7, 40, 65}, 3);
  in.scores[1] = T{0.25};
  in.scores[2] = T{0.5};
  return in;
}

TEMPLATE_TEST_CASE("cuda: neural_ndcg with every option", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = lists<T, R>();
  const std::vector<double> table{0.0, 0.5, 0.0, 2.0};
  // Without Sinkhorn, stopped by the number of steps, and stopped by the tolerance.
  for (const double t : {0.1, 30.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(neural_ndcg{.temperature = t, .steps = 0}, in, ctx);
    cuda_support::agrees(neural_ndcg{.temperature = t, .steps = 4, .tolerance = 0.0}, in, ctx);
  }
  cuda_support::agrees(neural_ndcg{.temperature = 0.2, .steps = 1, .tolerance = 0.0},
                       cuda_support::lists_of_lengths<T, R>({300}, 4), ctx);
  cuda_support::agrees(neural_ndcg{.temperature = 0.2, .tolerance = 1e-2}, in, ctx);
  cuda_support::agrees(neural_ndcg{.temperature = 0.2, .cutoff = 5, .steps = 3}, in, ctx);
  cuda_support::agrees(neural_ndcg{.temperature = 0.2, .gain = gain::linear, .steps = 3}, in, ctx);
  auto counted = in;
  counted.reduction = rankloss::reduction::mean_of_relevant;
  for (std::size_t i = 3; i < 10; ++i) counted.relevance[i] = R{2};  // worth nothing by the table
  cuda_support::agrees(neural_ndcg{.temperature = 0.2, .gain = gain::table, .gain_table = table, .steps = 3},
                       counted, ctx);
  const std::vector<double> large(65, 1.0);
  CHECK_THROWS_WITH(cuda_support::on_device(neural_ndcg{.gain = gain::table, .gain_table = large}, in, ctx),
                    "rankloss: gain_table: size 65, expected at most 64 grades on a device");
}

TEMPLATE_TEST_CASE("cuda: neural_ndcg with the implicit derivative", "", float, double) {
  using T = TestType;
  using R = std::conditional_t<std::is_same_v<T, float>, int, double>;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = lists<T, R>();
  neural_ndcg loss{.temperature = 0.5, .derivative = sinkhorn_derivative::implicit};
  for (const std::size_t steps : {0, 1, 4}) {
    INFO(steps << " steps");
    loss.steps = steps;
    cuda_support::agrees(loss, in, ctx);
  }
  loss.steps = 50;
  loss.tolerance = 1e-3;
  cuda_support::agrees(loss, in, ctx);
}

TEST_CASE("cuda: neural_ndcg scales each list until it is done") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(neural_ndcg{}, cuda_support::lists_of_lengths<double, double>({2, 5, 33, 60}, 4), ctx);
}

TEST_CASE("cuda: neural_ndcg of equal scores, outliers and infinite ones") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({20, 40, 70}, 5);
  for (std::size_t i = 0; i < 20; ++i) in.scores[i] = 3.0;
  in.scores[20] = 1e300;
  in.scores[21] = -1e300;
  in.scores[60] = in.scores[61] = in.scores[62] = std::numeric_limits<double>::infinity();
  in.scores[70] = in.scores[71] = -std::numeric_limits<double>::infinity();
  for (const std::size_t steps : {0, 3}) {
    cuda_support::agrees(neural_ndcg{.temperature = 0.5, .steps = steps}, in, ctx);
    cuda_support::agrees(
        neural_ndcg{.temperature = 0.5, .steps = steps, .derivative = sinkhorn_derivative::implicit}, in,
        ctx);
  }
}

TEST_CASE("cuda: neural_ndcg with relevance and weights of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::lists_of_lengths<double, double>({20, 90}, 3);
  for (const double size : {1e-200, 1e-3, 300.0, 1e300}) {
    auto scaled = in;
    for (double& y : scaled.relevance) y *= size;
    scaled.item_weights.assign(in.scores.size(), size);
    INFO("size " << size);
    cuda_support::agrees(neural_ndcg{.temperature = 0.5, .gain = gain::linear, .steps = 2}, scaled, ctx);
    if (size < 1e3) cuda_support::agrees(neural_ndcg{.temperature = 0.5, .steps = 2}, scaled, ctx);
  }
}

TEST_CASE("cuda: neural_ndcg of floats of any spread, temperature, weight and number of ties") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  unsigned seed = 20;
  for (const double spread : {1e-30, 1e-4, 1.0, 1e30})
    for (const double steep : {0.02, 0.2, 5.0}) {
      auto in = cuda_support::lists_of_lengths<float, int>({5, 9, 33, 70, 130, 40}, ++seed, spread);
      // Runs of equal scores, of one and of many items by turns.
      for (std::size_t i = 114; i < 244; ++i) in.scores[i] = in.scores[i % 14 < 11 ? i - i % 14 + 14 : i];
      for (std::size_t i = 0; i < in.scores.size(); ++i)
        in.item_weights.push_back(i % 3 == 0 ? 1.0 : std::pow(10.0, static_cast<double>(i * 7 % 61) - 30.0));
      in.scores[250] = 3e38f;
      in.scores[260] = -3e38f;
      const double temperature = std::max(1e-15, steep * spread);
      INFO("spread " << spread << ", temperature " << temperature);
      cuda_support::agrees(neural_ndcg{.temperature = temperature, .steps = seed % 7, .tolerance = 0.0}, in,
                           ctx);
      in.item_weights.clear();
      cuda_support::agrees(neural_ndcg{.temperature = temperature, .steps = 12, .tolerance = 0.0}, in, ctx);
    }
}

}  // namespace cuda_neural_ndcg_test
