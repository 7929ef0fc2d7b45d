// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_relevance_position.hpp>

#include "support/below_zero.hpp"
#include "support/one_list.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_average_relevance_position_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::average_relevance_position;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("average_relevance_position of TF-Ranking's examples") {
  CHECK(of(average_relevance_position{}, std::vector<double>{1, 3, 2}, std::vector<int>{0, 0, 1}) == 2.0);
  const std::vector<float> s{1, 2, 3};
  const std::vector<int> y{0, 1, 2};
  CHECK(of(average_relevance_position{}, s, y) == Approx((2.0 * 1.0 + 1.0 * 2.0) / 3.0).epsilon(1e-14));
  const std::vector<double> w{4, 5, 6};
  CHECK(evaluate(average_relevance_position{},
                 list_batch<float, int>{.scores = s, .relevance = y, .item_weights = w}) ==
        Approx((12.0 * 1.0 + 5.0 * 2.0) / 17.0).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("average_relevance_position is the mean over all orders of equal scores", "", float,
                   double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<TestType>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 3);
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += w[i] * static_cast<double>(y[i]);
    const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
      double sum = 0.0;
      for (std::size_t p = 0; p < n; ++p)
        sum += w[order[p]] * static_cast<double>(y[order[p]]) * static_cast<double>(p + 1);
      return total > 0.0 ? sum / total : 0.0;
    });
    CHECK(evaluate(average_relevance_position{},
                   list_batch<TestType>{.scores = s, .relevance = y, .item_weights = w}) ==
          Approx(expected).epsilon(1e-13));
  }
}

TEMPLATE_TEST_CASE("average_relevance_position as a function of ranks", "", float, double) {
  support::check_rank_function<TestType>([](std::size_t) { return average_relevance_position{}; }, 4);
  support::check_nothing_relevant(average_relevance_position{});
}

TEST_CASE("average_relevance_position of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 3, 0};
  std::vector<double> by_rank(3, 99.0);
  CHECK(support::of_ranks(average_relevance_position{}, {2.5, 1.5, 9.0}, support::list_of(s, y), by_rank) ==
        Approx(1.75).epsilon(1e-14));
  CHECK(by_rank == std::vector<double>{0.25, 0.75, 0.0});
}

TEST_CASE("average_relevance_position at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(average_relevance_position{}, s, std::vector<int>{1, 0, 1, 0}) == (1.5 + 4.0) / 2.0);
  CHECK(of(average_relevance_position{}, std::vector<float>{}, std::vector<int>{}) == 0.0);
  for (const double unit : {1e-310, 1e-30, 1e307})
    CHECK(of(average_relevance_position{}, s, std::vector<double>{unit, 0, 3 * unit, 0}) ==
          Approx((4.5 + 4.0) / 4.0).epsilon(1e-12));

  const std::vector<int> y{1, 0, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(average_relevance_position{}, batch) == 1.0);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(average_relevance_position{}, batch) == 2.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(average_relevance_position{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEST_CASE("average_relevance_position refuses relevance below 0") {
  support::refuses_below_0(average_relevance_position{});
}

}  // namespace

}  // namespace metrics_average_relevance_position_test
