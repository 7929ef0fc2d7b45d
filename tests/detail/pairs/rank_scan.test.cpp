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

/// Within the bounds that the library keeps.
template <class Loss>
void check_bounds(const Loss& loss, const drawn_list& items) {
  check(loss, items, 1e-13);
}

}  // namespace

TEMPLATE_TEST_CASE("rank_scan: from crowded scores to sparse ones, few levels and many", "", ndcg_loss2,
                   ndcg_loss2_plus) {
  for (const double width : {1e-3, 2.0, 300.0, 2e5}) {
    INFO("width " << width);
    check_bounds(TestType{}, draw_list(805, spread(width), grades(5)));
  }
  for (const unsigned count : {1u, 2u, 16u, 17u}) {
    INFO("levels " << count);
    check_bounds(TestType{}, draw_list(790, spread(3.0), grades(count)));
  }
  // Levels whose gains are all but equal.
  check_bounds(TestType{}, draw_list(790, spread(3.0), [](std::mt19937_64& random) {
                 return 1.0 + 1e-3 * static_cast<double>(random() % 4);
               }));
  check_bounds(TestType{}, draw_list(
                               650, [](auto&) { return 1.5; }, grades(5)));
  check_bounds(with<TestType>(0, pairs::keep::either, pairs::average::none, 0.01),
               draw_list(4001, spread(1.0), grades(3)));
}

TEMPLATE_TEST_CASE("rank_scan: crowds far apart, and scores far from 0", "", ndcg_loss2, ndcg_loss2_plus) {
  for (const double apart : {35.0, 158.0, 1300.0, 1e6}) {
    INFO("apart " << apart);
    const draw crowds = [apart](std::mt19937_64& random) {
      return apart * static_cast<double>(random() % 9) + 0.3 * uniform(random);
    };
    check_bounds(TestType{}, draw_list(800, crowds, grades(5)));
  }
}

TEMPLATE_TEST_CASE("rank_scan: cutoffs of pairs and of the ideal, averages, units", "", ndcg_loss2,
                   ndcg_loss2_plus) {
  const drawn_list items = draw_list(810, spread(3.0), grades(5));
  for (const std::size_t k : {1u, 64u, 100u, 809u, 900u}) {
    INFO("cutoff " << k);
    check_bounds(with<TestType>(k, pairs::keep::either, pairs::average::none), items);
  }
  check_bounds(with<TestType>(780, pairs::keep::both, pairs::average::none), items);
  for (const pairs::average average : {pairs::average::pairs, pairs::average::weight})
    check_bounds(with<TestType>(0, pairs::keep::either, average, 0.3), items);
  check_bounds(with<TestType>(300, pairs::keep::either, pairs::average::weight), items);
  TestType of_ten;
  of_ten.weight.cutoff = 10;
  of_ten.function.logarithm = pairs::logarithm::binary;
  check_bounds(of_ten, items);
}

TEMPLATE_TEST_CASE("rank_scan: about the shortest lists that are scanned, and levels that end early", "",
                   ndcg_loss2, ndcg_loss2_plus) {
  for (const std::size_t n : {384u, 385u, 448u, 449u, 768u, 769u, 833u}) {
    INFO("items " << n);
    check_bounds(TestType{}, draw_list(n, spread(2.0), grades(3)));
  }
  drawn_list items = draw_list(3001, spread(2.0), grades(2));
  std::vector<float> sorted = items.scores;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < items.scores.size(); ++i)  // the best eighth, all others, and some in between
    items.relevance[i] = items.scores[i] > sorted[2600]   ? 3.0F
                         : items.scores[i] > sorted[2500] ? items.relevance[i]
                                                          : 0.0F;
  check_bounds(TestType{}, items);
}

TEST_CASE("rank_scan: mu from 0 to its end") {
  for (const double mu : {0.0, 0.5, 1e30}) {
    INFO("mu " << mu);
    ndcg_loss2_plus loss;
    loss.weight.mu = mu;
    check_bounds(loss, draw_list(810, spread(2.0), grades(4)));
    // Gains as they are, whose products with mu may be beyond the largest float.
    loss.weight.scale = pairs::scale_by::none;
    for (const pairs::average average : {pairs::average::none, pairs::average::weight}) {
      loss.average = average;
      check_bounds(loss, draw_list(810, spread(2.0), [](std::mt19937_64& random) {
                     return 9.0 * static_cast<double>(random() % 4);
                   }));
    }
    loss.weight.gain = gain::linear;
    check_bounds(loss, draw_list(810, spread(2.0), grades(4)));
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
  for (const double temperature : {1e-3, 1.0, 1e3})
    for (const pairs::scale_by scale : {pairs::scale_by::ideal, pairs::scale_by::none}) {
      std::vector<TestType> great = y;
      for (TestType& grade : great) grade *= scale == pairs::scale_by::none ? TestType{50} : TestType{1};
      ndcg_loss2_plus loss{.function = {.temperature = temperature}, .weight = {.mu = 1e30, .scale = scale}};
      CHECK(std::isfinite(
          evaluate(loss, list_batch<TestType>{.scores = s, .relevance = great}, {.gradient = g})));
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
