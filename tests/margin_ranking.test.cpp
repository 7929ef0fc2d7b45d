// SPDX-License-Identifier: BSL-1.0
#include <rankloss/margin_ranking.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace margin_ranking_test {

namespace {

using rankloss::evaluate;
using rankloss::margin_ranking;
using rankloss::preference_batch;
using rankloss::reduction;

TEST_CASE("margin_ranking: LR2PPO's ranking loss of lists of two") {
  const std::vector<float> r{0.3f, -0.1f, 0.2f, 0.25f, -0.4f, 0.4f};
  const std::vector<int> p{0, 3, 4}, o{1, 2, 5};
  const preference_batch<float> batch{
      .rewards = r, .preferred = p, .other = o, .reduction = reduction::mean_of_relevant};
  std::vector<double> g(6);
  CHECK(evaluate(margin_ranking{.margin = 0.01}, batch, {.gradient = g}) ==
        Approx(0.8100000023841858).epsilon(1e-7));
  CHECK(g == std::vector<double>{0, 0, 0, 0, -1, 1});
  CHECK(evaluate(margin_ranking{.margin = 1.0}, batch, {.gradient = g}) ==
        Approx(1.1166666746139526).epsilon(1e-7));
  const std::vector<double> signs{-1, 1, 1, -1, -1, 1};
  for (std::size_t i = 0; i < 6; ++i) CHECK(g[i] == Approx(signs[i] / 3.0).epsilon(1e-15));
}

TEST_CASE("margin_ranking: margins add up, and the kink has slope 0") {
  const std::vector<double> r{3, 1, 0}, margins{1, 1.5, -2};
  const std::vector<int> p{0, 0, 1}, o{1, 1, 2};
  std::vector<double> g(3), pairs(3);
  // 2 against 2, 2 against 2.5, 1 against -1.
  CHECK(
      evaluate(margin_ranking{},
               preference_batch<double>{
                   .rewards = r, .preferred = p, .other = o, .margins = margins, .reduction = reduction::sum},
               {.gradient = g, .per_list = pairs}) == 0.5);
  CHECK(pairs == std::vector<double>{0, 0.5, 0});
  CHECK(g == std::vector<double>{-1, 1, 0});
}

TEMPLATE_TEST_CASE("margin_ranking: finite for rewards of any size", "", float, double) {
  const TestType big = std::numeric_limits<TestType>::max(),
                 infinity = std::numeric_limits<TestType>::infinity();
  const std::vector<TestType> r{-big, big, -infinity, infinity};
  const std::vector<double> margins(3, std::numeric_limits<double>::max());
  const std::vector<int> p{0, 2, 1}, o{1, 3, 3};
  for (const double margin : {1.0, 1e308, -1e308}) {
    std::vector<TestType> g(4);
    preference_batch<TestType> batch{.rewards = r, .preferred = p, .other = o, .reduction = reduction::sum};
    CHECK(std::isfinite(evaluate(margin_ranking{.margin = margin}, batch, {.gradient = g})));
    batch.margins = margins;
    CHECK(std::isfinite(evaluate(margin_ranking{.margin = margin}, batch, {.gradient = g})));
    for (const TestType x : g) CHECK(std::isfinite(x));
  }
}

TEST_CASE("margin_ranking: options out of range are refused") {
  const std::vector<double> r{1, 2};
  const std::vector<int> p{0}, o{1};
  CHECK_THROWS_WITH(evaluate(margin_ranking{.margin = std::numeric_limits<double>::infinity()},
                             preference_batch<double>{.rewards = r, .preferred = p, .other = o}),
                    "rankloss: margin: inf, expected a finite number");
}

}  // namespace

}  // namespace margin_ranking_test
