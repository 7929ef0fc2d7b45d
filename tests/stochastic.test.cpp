// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/stochastic.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace stochastic_test {

using rankloss::context;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::neural_ndcg;
using rankloss::sndcg;
using rankloss::stochastic;

namespace {

using reals = std::vector<double>;
const reals scores{0.3, -1, 2, 0.5, 0.1, 1.4}, grades{1, 2, 0, 3, 0, 1};

}  // namespace

TEST_CASE("stochastic: the mean over scores with the documented noise") {
  const stochastic<sndcg> loss{.loss = {.temperature = 0.5}, .noise = 0.3, .samples = 4, .seed = 11};
  const std::vector<std::size_t> offsets{0, 4, 6};
  reals g(6), expected(6, 0.0), per_list(2), sample(6);
  evaluate(loss, list_batch<double>{.scores = scores, .relevance = grades, .offsets = offsets},
           {.gradient = g, .per_list = per_list});
  double value[2]{};
  for (std::uint32_t k = 0; k < 4; ++k)
    for (std::size_t l = 0; l < 2; ++l) {
      const std::size_t n = offsets[l + 1] - offsets[l];
      reals s(n), y(n), own(n);
      for (std::size_t i = 0; i < n; ++i) {
        s[i] = scores[offsets[l] + i] + 0.3 * rankloss::gumbel(11, l, static_cast<std::uint32_t>(i), k);
        y[i] = grades[offsets[l] + i];
      }
      value[l] += evaluate(loss.loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = own}) / 4;
      for (std::size_t i = 0; i < n; ++i) expected[offsets[l] + i] += own[i] / 4 / 2;
    }
  for (std::size_t l = 0; l < 2; ++l) CHECK(per_list[l] == Approx(value[l]).epsilon(1e-12));
  for (std::size_t i = 0; i < 6; ++i) CHECK(g[i] == Approx(expected[i]).epsilon(1e-11));
}

TEST_CASE("stochastic: the gradient is the slope, and padding changes no bit") {
  const stochastic<neural_ndcg> loss{
      .loss = {.temperature = 1.0, .steps = 3, .tolerance = 0}, .noise = 0.2, .samples = 3, .seed = 5};
  reals g(6);
  const double value =
      evaluate(loss, list_batch<double>{.scores = scores, .relevance = grades}, {.gradient = g});
  for (std::size_t i = 0; i < 6; ++i) {
    reals up = scores, down = scores;
    up[i] += 1e-6;
    down[i] -= 1e-6;
    const double slope = (evaluate(loss, list_batch<double>{.scores = up, .relevance = grades}) -
                          evaluate(loss, list_batch<double>{.scores = down, .relevance = grades})) /
                         (up[i] - down[i]);
    CHECK(g[i] == Approx(slope).margin(1e-8));
  }
  reals padded{9, 0.3, -1, 2, 7, 0.5, 0.1, 1.4}, labels{4, 1, 2, 0, 4, 3, 0, 1}, padded_g(8);
  const std::vector<std::uint8_t> mask{0, 1, 1, 1, 0, 1, 1, 1};
  CHECK(evaluate(loss, list_batch<double>{.scores = padded, .relevance = labels, .length = 8, .mask = mask},
                 {.gradient = padded_g}) == value);
  CHECK(padded_g == reals{0, g[0], g[1], g[2], 0, g[3], g[4], g[5]});
}

TEST_CASE("stochastic: the same bits for any number of threads") {
  reals s, y;
  for (int i = 0; i < 3000; ++i) {
    s.push_back(std::sin(i));
    y.push_back(i % 3);
  }
  const stochastic<sndcg> loss{.noise = 0.1, .samples = 2, .seed = 1};
  const list_batch<double> batch{.scores = s, .relevance = y, .length = 30};
  reals one(3000), seven(3000);
  context alone, many{rankloss::threads(7)};
  CHECK(evaluate(loss, batch, {.gradient = one}, alone) == evaluate(loss, batch, {.gradient = seven}, many));
  CHECK(one == seven);
}

TEST_CASE("stochastic: a Gumbel variable has its mean and deviation") {
  double sum = 0, squares = 0;
  constexpr int count = 200000;
  for (std::uint32_t i = 0; i < count; ++i) {
    const double g = rankloss::gumbel(3, 0, i, 0);
    sum += g;
    squares += g * g;
  }
  const double mean = sum / count;
  CHECK(mean == Approx(0.5772156649).margin(0.01));
  CHECK(squares / count - mean * mean == Approx(1.6449340668).epsilon(0.02));
}

TEST_CASE("stochastic: options out of range are refused") {
  const list_batch<double> batch{.scores = scores, .relevance = grades};
  CHECK_THROWS_AS(evaluate(stochastic<sndcg>{.samples = 0}, batch), std::invalid_argument);
  CHECK_THROWS_AS(evaluate(stochastic<sndcg>{.noise = -1}, batch), std::invalid_argument);
  CHECK_THROWS_AS(evaluate(stochastic<sndcg>{.loss = {.temperature = 0}}, batch), std::invalid_argument);
  reals g(6);
  CHECK_THROWS_AS(evaluate(stochastic<rankloss::metrics::ndcg>{}, batch, {.gradient = g}),
                  std::invalid_argument);
}

}  // namespace stochastic_test
