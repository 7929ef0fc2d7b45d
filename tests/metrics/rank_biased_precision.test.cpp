// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/rank_biased_precision.hpp>

#include "support/below_zero.hpp"
#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_rank_biased_precision_test {

namespace {

using rankloss::evaluate;
using rankloss::gain;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::rank_biased_precision;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("rank_biased_precision by hand") {
  const std::vector<double> s{4, 3, 2, 1};
  const std::vector<int> y{1, 0, 1, 0};
  CHECK(of(rank_biased_precision{.persistence = 0.5}, s, y) == Approx(0.5 + 0.125).epsilon(1e-14));
  CHECK(of(rank_biased_precision{}, s, y) == Approx(0.2 * (1 + 0.64)).epsilon(1e-14));
  CHECK(of(rank_biased_precision{.persistence = 0.5, .cutoff = 2}, s, y) == Approx(0.5).epsilon(1e-14));
  CHECK(of(rank_biased_precision{.persistence = 0.5}, s, std::vector<double>{0.5, 1, 0, 0}) ==
        Approx(0.5).epsilon(1e-14));
  CHECK(of(rank_biased_precision{.persistence = 0.5, .gain = gain::exponential}, s,
           std::vector<int>{2, 1, 0, 0}) == Approx(1.75).epsilon(1e-14));
  const std::vector<double> table{0.0, 0.25, 1.0};
  CHECK(of(rank_biased_precision{.persistence = 0.5, .gain = gain::table, .gain_table = table}, s,
           std::vector<int>{2, 1, 0, 0}) == Approx(0.5 + 0.0625).epsilon(1e-14));
  CHECK(of(rank_biased_precision{.persistence = 0.9}, s, std::vector<int>{1, 1, 1, 1}) ==
        Approx(1.0 - std::pow(0.9, 4)).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("rank_biased_precision is the mean over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 3);
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    for (const double p : {0.1, 0.5, 0.99})
      for (std::size_t k = 0; k <= n + 1; ++k) {
        const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
          double sum = 0.0;
          for (std::size_t at = 0; at < (k == 0 ? n : std::min(k, n)); ++at)
            sum += (1.0 - p) * w[order[at]] * y[order[at]] * std::pow(p, static_cast<double>(at));
          return sum;
        });
        CHECK(evaluate(rank_biased_precision{.persistence = p, .cutoff = k}, batch) ==
              Approx(expected).epsilon(1e-13));
      }
  }
}

TEST_CASE("rank_biased_precision of extreme persistence") {
  const std::vector<double> s(1000, 1.0);
  std::vector<int> y(1000, 0);
  y[3] = 1;
  const double hardly = std::nextafter(1.0, 0.0);
  CHECK(of(rank_biased_precision{.persistence = hardly}, s, y) == Approx(1.0 - hardly).epsilon(1e-12));
  CHECK(of(rank_biased_precision{.persistence = 1e-300}, s, y) == Approx(1e-3).epsilon(1e-12));
}

TEST_CASE("rank_biased_precision of infinite gains is infinite or 0, never NaN") {
  std::vector<double> s(5000);
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = -static_cast<double>(i);
  std::vector<int> y(5000, 0);
  y[0] = 1;
  y[4999] = 2000;  // beyond what a double holds of 0.8^4999
  const rank_biased_precision metric{.gain = gain::exponential};
  CHECK(of(metric, s, y) == Approx(0.2).epsilon(1e-14));
  std::vector<double> ranks(5000);
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<double>(i + 1);
  std::vector<double> by_rank(5000, 99.0);
  CHECK(support::of_ranks(metric, ranks, support::list_of(s, y), by_rank) == Approx(0.2).epsilon(1e-14));
  CHECK(by_rank[4999] == 0.0);
  y[1] = 2000;
  CHECK(of(metric, s, y) == infinity);
}

TEMPLATE_TEST_CASE("rank_biased_precision as a function of ranks", "", float, double) {
  for (const double p : {0.2, 0.8})
    support::check_rank_function<TestType>(
        [p](std::size_t k) { return rank_biased_precision{.persistence = p, .cutoff = k}; }, 3);
  support::check_rank_function<TestType>(
      [](std::size_t k) { return rank_biased_precision{.gain = gain::exponential, .cutoff = k}; }, 4);
  support::check_nothing_relevant(rank_biased_precision{.cutoff = 2});
}

TEST_CASE("rank_biased_precision of ranks by hand") {
  const std::vector<double> s{0, 0};
  const std::vector<int> y{1, 2};
  std::vector<double> by_rank(2, 99.0);
  CHECK(support::of_ranks(rank_biased_precision{.persistence = 0.5}, {1.5, 3.0}, support::list_of(s, y),
                          by_rank) == Approx(0.5 * std::sqrt(0.5) + 0.25).epsilon(1e-14));
  CHECK(by_rank[0] == Approx(0.5 * std::sqrt(0.5) * std::log(0.5)).epsilon(1e-14));
  CHECK(by_rank[1] == Approx(0.25 * std::log(0.5)).epsilon(1e-14));
}

TEST_CASE("rank_biased_precision at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(rank_biased_precision{.persistence = 0.5}, s, std::vector<int>{1, 0, 1, 0}) ==
        Approx(0.375 + 0.0625).epsilon(1e-14));
  CHECK(of(rank_biased_precision{}, std::vector<float>{}, std::vector<int>{}) == 0.0);

  const std::vector<int> y{1, 0, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(rank_biased_precision{.persistence = 0.5}, batch) == Approx(0.125).epsilon(1e-14));
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(rank_biased_precision{.persistence = 0.5}, batch) == Approx(0.25).epsilon(1e-14));
  CHECK_THROWS_WITH(evaluate(rank_biased_precision{.persistence = 1.0}, batch),
                    "rankloss: persistence: 1, expected between 0 and 1");
  CHECK_THROWS_WITH(evaluate(rank_biased_precision{.persistence = 0.0}, batch),
                    "rankloss: persistence: 0, expected between 0 and 1");
  CHECK_THROWS_WITH(evaluate(rank_biased_precision{.gain = gain::table}, batch),
                    "rankloss: gain_table: size 0, expected one gain a grade");
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(rank_biased_precision{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEMPLATE_TEST_CASE("rank_biased_precision of lists that miss items", "", float, double) {
  support::check_missed<TestType>(
      [](std::size_t k) { return rank_biased_precision{.persistence = 0.4, .cutoff = k}; });
}

TEST_CASE("rank_biased_precision refuses gains below 0") {
  support::refuses_below_0(rank_biased_precision{});
  const std::vector<double> table{0, 1};
  CHECK(support::said_of_below_0(rank_biased_precision{.gain = gain::table, .gain_table = table}).empty());
}

}  // namespace

}  // namespace metrics_rank_biased_precision_test
