// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/ranknet.hpp>

#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

}  // namespace

TEST_CASE("pairs: values that can be worked by hand") {
  const auto value = [](const auto& loss, const std::vector<float>& s, const std::vector<float>& y, std::vector<float>* gradient = nullptr) {
    return evaluate(loss, list_batch<float>{.scores = s, .relevance = y}, {.gradient = gradient != nullptr ? real_output(*gradient) : real_output{}});
  };
  const auto softplus = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  const std::vector<float> s{0, 3, 1, 2};
  const std::vector<float> y{0, 0, 1, 1};
  CHECK(value(pairwise<pairs::hinge>{}, s, y) == Approx(5.0));
  CHECK(value(ranknet{}, s, y) == Approx(softplus(-1) + softplus(2) + softplus(1) + softplus(-2)).epsilon(1e-6));
  CHECK(value(pairwise<pairs::soft_zero_one>{}, s, y) == Approx(sigmoid(-1) + sigmoid(2) + sigmoid(1) + sigmoid(-2)).epsilon(1e-6));
  // Scores of any size stay finite in float.
  const std::vector<float> far{0, -2.1e26f, 3.4e37f, 42};
  const std::vector<float> far_y{0, 1, 1, 0};
  std::vector<float> g(4);
  CHECK(value(ranknet{}, far, far_y, &g) == Approx(4.2e26).epsilon(1e-6));
  CHECK(g == std::vector<float>{1, -2, 0, 1});
  CHECK(value(pairwise<pairs::soft_zero_one>{}, far, far_y) == Approx(2.0));
  CHECK(value(pairwise<pairs::hinge>{}, far, far_y) == Approx(4.2e26).epsilon(1e-6));
  // TF-Ranking, T = 1: sums over pairs; two lists.
  CHECK(value(pairwise<pairs::hinge>{.average = pairs::average::pairs}, {1, 3, 2}, {0, 0, 1}) == Approx(1.0));
  CHECK(value(ranknet{.average = pairs::average::pairs}, {1, 3, 2}, {0, 0, 1}) == Approx(0.813262).epsilon(1e-6));
  CHECK(value(ranknet{.average = pairs::average::pairs}, {1, 3}, {0, 2}) == Approx(0.126928).epsilon(1e-5));
  CHECK(value(pairwise<pairs::soft_zero_one>{.average = pairs::average::pairs}, {1, 3, 2}, {0, 0, 1}) == Approx(0.5));
  // Burges: two items of equal score.
  std::vector<float> lambda(2);
  value(lambdarank{}, {0, 0}, {1, 0}, &lambda);
  CHECK(lambda[0] == Approx(-0.5 * (1.0 - 1.0 / std::log2(3.0))).epsilon(1e-6));
  CHECK(lambda[1] == Approx(0.18453512).epsilon(1e-6));
  // Rax's squared difference: 12 terms off the diagonal, of which ours are half where the labels differ.
  CHECK(value(pairwise<pairs::squared_difference>{}, s, y) == Approx(0.0 + 9.0 + 1.0 + 4.0));
}

TEST_CASE("pairs: lists without pairs, infinite scores, and options out of range") {
  std::vector<float> g{5, 5, 5};
  const std::vector<float> s{1, 2, 3};
  const std::vector<int> y{1, 1, 1};
  for (const pairs::average average : {pairs::average::none, pairs::average::pairs, pairs::average::weight}) {
    CHECK(evaluate(ranknet{.average = average}, list_batch<float, int>{.scores = s, .relevance = y}, {.gradient = g}) == 0.0);
    CHECK(g == std::vector<float>{0, 0, 0});
  }
  constexpr float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> ends{infinite, -infinite, infinite};
  const std::vector<int> grades{0, 1, 2};
  const double value = evaluate(ranknet{}, list_batch<float, int>{.scores = ends, .relevance = grades}, {.gradient = g});
  CHECK(std::isfinite(value));
  CHECK(g == std::vector<float>{1.5, -1, -0.5});

  const auto message = [&](const auto& loss) {
    try {
      evaluate(loss, list_batch<float, int>{.scores = s, .relevance = y});
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message(ranknet{.function = {.temperature = 0.0}}) == "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK(message(pairwise<pairs::hinge>{.function = {.margin = -1.0}}) == "rankloss: margin: -1, expected 0 to 1e300");
  CHECK(message(pairwise<pairs::quantile>{.function = {.tau = 1.5}}) == "rankloss: tau: 1.5, expected 0 to 1");
  CHECK(message(ndcg_loss2_plus{.weight = {.mu = -1.0}}) == "rankloss: mu: -1, expected 0 to 1e30");
  CHECK(message(lambdarank{.weight = {.gain = gain::table}}) == "rankloss: gain_table: size 0, expected one gain a grade");
}
