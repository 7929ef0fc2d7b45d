// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/soft_spearman.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace soft_spearman_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::soft_spearman;

using reals = std::vector<double>;

TEST_CASE("soft_spearman: at a low temperature it is 1 - Spearman's rho") {
  const auto loss = [](const reals& s, const reals& y) {
    return evaluate(soft_spearman<>{.ranks = {.temperature = 1e-9}},
                    list_batch<double>{.scores = s, .relevance = y});
  };
  CHECK(loss({1, 2, 3, 4}, {10, 20, 30, 40}) == Approx(0.0).margin(1e-12));
  CHECK(loss({4, 3, 2, 1}, {10, 20, 30, 40}) == Approx(2.0));
  // Ranks 1 2 3 4 5 against 2 1 4 3 5: rho = 1 - 6 * 4 / (5 * 24) = 0.8.
  CHECK(loss({5, 4, 3, 2, 1}, {4, 5, 2, 3, 1}) == Approx(0.2));
  // Ties share the middle: ranks 1 2 3 against 1.5 1.5 3, rho = 1.5 / sqrt(2 * 1.5).
  CHECK(loss({3, 2, 1}, {7, 7, 1}) == Approx(1 - 1.5 / std::sqrt(3.0)));
}

TEST_CASE("soft_spearman: the gradient is the slope") {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  const auto check = [&](const auto& loss, double step) {
    for (const std::size_t n : {2, 3, 30}) {
      reals s(n), y(n), g(n);
      for (double& x : s) x = normal(random);
      for (double& x : y) x = static_cast<double>(random() % 5);
      y[0] = 7;
      const auto value = [&](const reals& at) {
        return evaluate(loss, list_batch<double>{.scores = at, .relevance = y});
      };
      evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
      for (std::size_t i = 0; i < n; ++i) {
        reals up = s, down = s;
        up[i] += step;
        down[i] -= step;
        CHECK(g[i] == Approx((value(up) - value(down)) / (up[i] - down[i])).margin(1e-6));
      }
    }
  };
  check(soft_spearman<>{.ranks = {.temperature = 0.4}}, 1e-5);
  check(soft_spearman<rankloss::projected_ranks>{.ranks = {.temperature = 0.4}}, 1e-7);
}

TEST_CASE("soft_spearman: edge cases") {
  reals g(3, 4.0);
  CHECK(evaluate(soft_spearman<>{}, list_batch<double>{.scores = reals{1, 2, 3}, .relevance = reals{2, 2, 2}},
                 {.gradient = g}) == 0.0);
  CHECK(g == reals{0, 0, 0});
  CHECK(evaluate(soft_spearman<>{}, list_batch<double>{.scores = reals{1, 1, 1}, .relevance = reals{1, 2, 3}},
                 {.gradient = g}) == 1.0);
  CHECK(g == reals{0, 0, 0});
}

}  // namespace soft_spearman_test
