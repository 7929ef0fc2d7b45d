// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/rank_scan.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/lambda_loss.hpp>

#include "support/scan_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace detail_pairs_rank_scan_test {

// By way of the losses: without a Hessian, lists of 385 floats or 769 doubles and more with up to 16 levels take the
// scan, shorter ones and any with a Hessian go pair by pair.

namespace {

using namespace scan_checks;

}  // namespace

TEMPLATE_TEST_CASE("rank_scan: from crowded scores to sparse ones, few levels and many", "", ndcg_loss2,
                   ndcg_loss2_plus) {
  for (const double width : {1e-3, 2.0, 300.0, 2e5}) {
    INFO("width " << width);
    check(TestType{}, draw_list(805, spread(width), grades(5)));
  }
  for (const unsigned count : {1u, 2u, 16u, 17u}) {
    INFO("levels " << count);
    check(TestType{}, draw_list(790, spread(3.0), grades(count)));
  }
  // Levels whose gains are all but equal.
  check(TestType{}, draw_list(790, spread(3.0), [](std::mt19937_64& random) {
          return 1.0 + 1e-3 * static_cast<double>(random() % 4);
        }));
  check(TestType{}, draw_list(
                        650, [](auto&) { return 1.5; }, grades(5)));
  check(with<TestType>(0, pairs::keep::either, pairs::average::none, 0.01),
        draw_list(4001, spread(1.0), grades(3)));
}

TEMPLATE_TEST_CASE("rank_scan: crowds far apart, and scores far from 0", "", ndcg_loss2, ndcg_loss2_plus) {
  for (const double apart : {35.0, 158.0, 1300.0, 1e6}) {
    INFO("apart " << apart);
    const draw crowds = [apart](std::mt19937_64& random) {
      return apart * static_cast<double>(random() % 9) + 0.3 * uniform(random);
    };
    check(TestType{}, draw_list(800, crowds, grades(5)));
  }
}

TEMPLATE_TEST_CASE("rank_scan: cutoffs of pairs and of the ideal, averages, units", "", ndcg_loss2,
                   ndcg_loss2_plus) {
  const drawn_list items = draw_list(810, spread(3.0), grades(5));
  for (const std::size_t k : {1u, 64u, 100u, 809u, 900u}) {
    INFO("cutoff " << k);
    check(with<TestType>(k, pairs::keep::either, pairs::average::none), items);
  }
  check(with<TestType>(780, pairs::keep::both, pairs::average::none), items);
  for (const pairs::average average : {pairs::average::pairs, pairs::average::weight})
    check(with<TestType>(0, pairs::keep::either, average, 0.3), items);
  check(with<TestType>(300, pairs::keep::either, pairs::average::weight), items);
  TestType of_ten;
  of_ten.weight.cutoff = 10;
  of_ten.function.logarithm = pairs::logarithm::binary;
  check(of_ten, items);
}

TEST_CASE("rank_scan: mu from 0 to its end") {
  for (const double mu : {0.0, 0.5, 1e30}) {
    INFO("mu " << mu);
    ndcg_loss2_plus loss;
    loss.weight.mu = mu;
    check(loss, draw_list(810, spread(2.0), grades(4)));
  }
}

TEMPLATE_TEST_CASE("rank_scan: no value, no slope where nothing differs, and finite whatever the scores", "",
                   float, double) {
  const auto none =
      run<TestType>(ndcg_loss2{}, draw_list(810, spread(2.0), [](auto&) { return 3.0; }), false, false);
  CHECK(none.value == 0.0);
  CHECK(none.gradient == std::vector<TestType>(810, TestType{0}));

  const drawn_list items = draw_list(810, spread(2.0), grades(3));
  const std::vector<TestType> y(items.relevance.begin(), items.relevance.end());
  std::vector<TestType> s(items.scores.begin(), items.scores.end()), g(s.size());
  constexpr TestType largest = std::numeric_limits<TestType>::max(),
                     infinity = std::numeric_limits<TestType>::infinity();
  const TestType extremes[]{infinity, -infinity, largest, -largest};
  for (std::size_t i = 0; i < s.size(); i += 2) s[i] = extremes[i / 2 % 4];
  for (const double temperature : {1e-3, 1.0, 1e3}) {
    ndcg_loss2_plus loss{.function = {.temperature = temperature}, .weight = {.mu = 1e30}};
    CHECK(std::isfinite(evaluate(loss, list_batch<TestType>{.scores = s, .relevance = y}, {.gradient = g})));
    CHECK(std::all_of(g.begin(), g.end(), [](TestType x) { return std::isfinite(x); }));
  }
}

TEST_CASE("rank_scan: far ranks keep their weights in a long list") {
  // One item of gain at the end of many: all its pairs are in the wrong order, at distances of all magnitudes.
  const std::size_t n = 200000;
  drawn_list items;
  for (std::size_t i = 0; i < n; ++i) {
    items.scores.push_back(-1e-4F * static_cast<float>(i));
    items.relevance.push_back(i + 1 == n ? 1.0F : 0.0F);
  }
  real value = 0, slope = 0;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const real m = real(n - 1 - i), d = real(items.scores[i]) - real(items.scores[n - 1]);
    const real weight = std::log1p(1 / (1 + m)) * std::log(real(2)) / (std::log1p(m) * std::log(2 + m));
    value += weight * (d + std::log1p(std::exp(-d)));
    slope -= weight / (1 + std::exp(-d));
  }
  const auto check_type = [&]<class T>(T) {
    const result<T> found = run<T>(ndcg_loss2{}, items, false, false);
    CHECK(found.value == Approx(static_cast<double>(value)).epsilon(digits<T>));
    CHECK(static_cast<double>(found.gradient[n - 1]) ==
          Approx(static_cast<double>(slope)).epsilon(digits<T> / 10));
  };
  check_type(1.0F);
  check_type(1.0);
}

}  // namespace detail_pairs_rank_scan_test
