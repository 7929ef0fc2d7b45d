// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/precision.hpp>

#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_precision_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::precision;
using rankloss::metrics::precision_over;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("precision of examples of Rax, XGBoost and rankit") {
  const std::vector<double> s{0, 3, 1, 2};
  const std::vector<int> two{0, 0, 1, 1};
  CHECK(of(precision{}, s, two) == 0.5);
  CHECK(of(precision{.cutoff = 3}, s, two) == Approx(2.0 / 3.0));
  const std::vector<int> three{1, 0, 1, 1};
  CHECK(of(precision{.cutoff = 3}, s, three) == Approx(2.0 / 3.0));
  CHECK(of(precision{.cutoff = 1}, s, three) == 0.0);

  CHECK(of(precision{}, std::vector<float>{0, 1}, std::vector<int>{0, 1}) == 0.5);
  CHECK(of(precision{.cutoff = 2}, std::vector<float>{0.1f, 0.9f, 0.1f, 0.9f}, two) == 0.5);
  CHECK(of(precision{.cutoff = 4}, std::vector<float>{0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f},
           std::vector<int>{0, 1, 0, 0, 1, 1}) == 0.5);

  std::vector<double> ranked(12);
  for (std::size_t i = 0; i < ranked.size(); ++i) ranked[i] = -static_cast<double>(i);
  std::vector<int> y(12, 0);
  for (const std::size_t i : {0u, 2u, 5u, 8u}) y[i] = 1;
  CHECK(of(precision{.cutoff = 5}, ranked, y) == Approx(0.4));
}

TEST_CASE("precision of a list shorter than k over k or over what there is") {
  const std::vector<float> s{3, 2, 1};
  const std::vector<int> y{1, 0, 1};
  CHECK(of(precision{.cutoff = 6}, s, y) == Approx(2.0 / 6.0));
  CHECK(of(precision{.cutoff = 6, .over = precision_over::retrieved}, s, y) ==
        Approx(2.0 / 3.0));  // TF-Ranking
  CHECK(of(precision{.cutoff = 2, .over = precision_over::retrieved}, s, y) == 0.5);
  CHECK(of(precision{.over = precision_over::retrieved}, s, y) == Approx(2.0 / 3.0));
}

TEMPLATE_TEST_CASE("precision is the mean over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 4);
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    for (std::size_t k = 0; k <= n + 2; ++k) {
      const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
        double sum = 0.0;
        for (std::size_t p = 0; p < (k == 0 ? n : std::min(k, n)); ++p)
          sum += y[order[p]] > 0 ? w[order[p]] : 0.0;
        return sum;
      });
      CHECK(evaluate(precision{.cutoff = k}, batch) ==
            Approx(expected / static_cast<double>(k == 0 ? n : k)).epsilon(1e-13));
      CHECK(evaluate(precision{.cutoff = k, .over = precision_over::retrieved}, batch) ==
            Approx(expected / static_cast<double>(k == 0 ? n : std::min(k, n))).epsilon(1e-13));
    }
  }
}

TEMPLATE_TEST_CASE("precision as a function of ranks", "", float, double) {
  for (const auto over : {precision_over::cutoff, precision_over::retrieved})
    support::check_rank_function<TestType>(
        [over](std::size_t k) { return precision{.cutoff = k, .over = over}; }, 3);
  support::check_nothing_relevant(precision{.cutoff = 2});
}

TEST_CASE("precision of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 0, 1};
  std::vector<double> by_rank(3, 99.0);
  CHECK(support::of_ranks(precision{.cutoff = 2}, {2.5, 2.25, 1.75}, support::list_of(s, y), by_rank) ==
        0.75);
  CHECK(by_rank == std::vector<double>{-0.75, 0.0, 0.0});
}

TEST_CASE("precision at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(precision{.cutoff = 1}, s, std::vector<int>{1, 0, 1, 0}) == 0.5);
  CHECK(of(precision{.cutoff = 3}, s, std::vector<int>{1, 0, 1, 0}) == Approx(1.0 / 3.0));
  CHECK(of(precision{.cutoff = 3}, std::vector<float>{}, std::vector<int>{}) == 0.0);

  const std::vector<int> y{0, 1, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(precision{.cutoff = 1}, batch) == 0.5);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(precision{.cutoff = 1}, batch) == 1.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(precision{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEMPLATE_TEST_CASE("precision of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return precision{.cutoff = k}; }, false);
  const std::vector<TestType> s{3, 2, 1, 4};
  const std::vector<int> y{1, 1, 0, 1};
  const std::vector<unsigned char> missed{0, 1, 0, 1};
  const list_batch<TestType, int> batch{.scores = s, .relevance = y, .missed = missed};
  CHECK(evaluate(precision{}, batch) == 0.5);  // of what has a rank
  CHECK(evaluate(precision{.cutoff = 4, .over = precision_over::retrieved}, batch) == 0.5);
}

}  // namespace

}  // namespace metrics_precision_test
