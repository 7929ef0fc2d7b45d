// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/r_precision.hpp>

#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/recall.hpp>

#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_r_precision_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::precision;
using rankloss::metrics::r_precision;
using rankloss::metrics::recall;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("r_precision by hand") {
  const std::vector<double> s{6, 5, 4, 3, 2, 1};
  CHECK(of(r_precision{}, s, std::vector<int>{1, 0, 2, 0, 0, 1}) == Approx(2.0 / 3.0));
  CHECK(of(r_precision{}, s, std::vector<int>{0, 3, 0, 0, 0, 0}) == 0.0);
  CHECK(of(r_precision{}, s, std::vector<int>{1, 1, 1, 1, 1, 1}) == 1.0);
  CHECK(of(r_precision{}, std::vector<double>(4, 0.5), std::vector<int>{0, 1, 0, 1}) == 0.5);

  // Two of five relevant documents are there: trec_eval's Rprec has R = 5.
  const std::vector<int> y{1, 0, 1, 1, 1, 1};
  const std::vector<unsigned char> missed{0, 0, 0, 1, 1, 1};
  CHECK(evaluate(r_precision{}, list_batch<double, int>{.scores = s, .relevance = y, .missed = missed}) ==
        Approx(2.0 / 5.0));
}

TEMPLATE_TEST_CASE("r_precision is the mean over all orders of equal scores, and precision and recall of R",
                   "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 3);
    double total = 0.0;
    std::size_t relevant = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (y[i] == 0 || w[i] == 0.0) continue;
      ++relevant;
      total += w[i];
    }
    const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
      double found = 0.0;
      for (std::size_t p = 0; p < relevant; ++p) found += y[order[p]] > 0 ? w[order[p]] : 0.0;
      return relevant > 0 ? found / total : 0.0;
    });
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    CHECK(evaluate(r_precision{}, batch) == Approx(expected).epsilon(1e-13));
    if (relevant > 0)
      CHECK(evaluate(r_precision{}, batch) ==
            Approx(evaluate(recall{.cutoff = relevant}, batch)).epsilon(1e-13));
    const auto plain =
        static_cast<std::size_t>(std::count_if(y.begin(), y.end(), [](int grade) { return grade > 0; }));
    if (plain > 0)
      CHECK(of(r_precision{}, s, y) == Approx(of(precision{.cutoff = plain}, s, y)).epsilon(1e-13));
  }
}

TEST_CASE("r_precision at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(r_precision{}, s, std::vector<int>{1, 0, 1, 0}) == 0.5);
  CHECK(of(r_precision{}, std::vector<float>{}, std::vector<int>{}) == 0.0);
  const std::vector<int> y{0, 1, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(r_precision{}, batch) == 0.5);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(r_precision{}, batch) == 1.0);
  // R counts what is relevant, however light.
  const std::vector<int> two{0, 1, 1, 0};
  const std::vector<double> w{1.0, 1e-320, 1e300, 1.0};
  CHECK(evaluate(r_precision{}, list_batch<double, int>{.scores = s, .relevance = two, .item_weights = w}) ==
        1.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(r_precision{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEMPLATE_TEST_CASE("r_precision of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t) { return r_precision{}; });
}

}  // namespace

}  // namespace metrics_r_precision_test
