// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/ranknet.hpp>

#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace pairwise_test {

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

}  // namespace

TEST_CASE("pairs: values that can be worked by hand") {
  const auto value = [](const auto& loss, const std::vector<float>& s, const std::vector<float>& y,
                        std::vector<float>* gradient = nullptr) {
    return evaluate(loss, list_batch<float>{.scores = s, .relevance = y},
                    {.gradient = gradient != nullptr ? real_output(*gradient) : real_output{}});
  };
  const auto softplus = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  const std::vector<float> s{0, 3, 1, 2};
  const std::vector<float> y{0, 0, 1, 1};
  CHECK(value(pairwise<pairs::hinge>{}, s, y) == Approx(5.0));
  CHECK(value(ranknet{}, s, y) ==
        Approx(softplus(-1) + softplus(2) + softplus(1) + softplus(-2)).epsilon(1e-6));
  CHECK(value(pairwise<pairs::soft_zero_one>{}, s, y) ==
        Approx(sigmoid(-1) + sigmoid(2) + sigmoid(1) + sigmoid(-2)).epsilon(1e-6));
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
  CHECK(value(ranknet{.average = pairs::average::pairs}, {1, 3, 2}, {0, 0, 1}) ==
        Approx(0.813262).epsilon(1e-6));
  CHECK(value(ranknet{.average = pairs::average::pairs}, {1, 3}, {0, 2}) == Approx(0.126928).epsilon(1e-5));
  CHECK(value(pairwise<pairs::soft_zero_one>{.average = pairs::average::pairs}, {1, 3, 2}, {0, 0, 1}) ==
        Approx(0.5));
  // Burges: two items of equal score.
  std::vector<float> lambda(2);
  value(lambdarank{}, {0, 0}, {1, 0}, &lambda);
  CHECK(lambda[0] == Approx(-0.5 * (1.0 - 1.0 / std::log2(3.0))).epsilon(1e-6));
  CHECK(lambda[1] == Approx(0.18453512).epsilon(1e-6));
  // Rax's squared difference: 12 terms off the diagonal, of which ours are half where the labels differ.
  CHECK(value(pairwise<pairs::squared_difference>{}, s, y) == Approx(0.0 + 9.0 + 1.0 + 4.0));
}

TEST_CASE("pairs: items alike have the mean of their slopes where positions count") {
  // Equal scores: the two items of grade 0 change their ranks without a change of value, and so each has half
  // of what both have.
  const std::vector<double> s{1, 1, 1}, y{0, 2, 0}, w{1, 1, 2};
  std::vector<double> g(3), h(3), weighted(3);
  evaluate(lambdarank{}, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g, .hessian = h});
  // At positions 2 and 1, 2 and 3, of discounts 1, 1 / log2(3) and 1/2.
  const double above = 1.0 - 1.0 / std::log2(3.0), below = 1.0 / std::log2(3.0) - 0.5;
  CHECK(g[0] == Approx(0.25 * (above + below)));
  CHECK(g[1] == Approx(-0.5 * (above + below)));
  CHECK(g[2] == g[0]);
  CHECK(h[0] == Approx(0.125 * (above + below)));
  CHECK(h[2] == h[0]);
  evaluate(lambdarank{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = w},
           {.gradient = weighted});
  CHECK(weighted[0] == Approx(0.5 * above));
  CHECK(weighted[2] == Approx(0.5 * below));
  evaluate(ranknet{.cutoff = 1}, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
  CHECK(g == std::vector<double>{0.25, -0.5, 0.25});  // the pairs of the first position alone
}

TEST_CASE("pairs: weights, relevance, scores and margins at the ends of their types") {
  const std::vector<double> s{1, 3, 2}, y{0, 0, 2};
  std::vector<double> g(3), plain(3);
  const double alone =
      evaluate(ranknet{}, list_batch<double>{.scores = s, .relevance = y}, {.gradient = plain});
  for (const double w : {1e280, std::numeric_limits<double>::min(), 1e-320}) {
    INFO("weight " << w);
    const std::vector<double> weights(3, w);
    CHECK(evaluate(ranknet{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = weights},
                   {.gradient = g}) == Approx(w * alone).epsilon(1e-3));
    CHECK(g[1] == Approx(w * plain[1]).epsilon(1e-3));
    CHECK(evaluate(ranknet{.average = pairs::average::weight},
                   list_batch<double>{.scores = s, .relevance = y, .item_weights = weights}) ==
          Approx(alone / 2));
  }
  const std::vector<double> most(3, std::numeric_limits<double>::max());
  CHECK(evaluate(ranknet{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = most}) ==
        std::numeric_limits<double>::max());
  // Long lists of hinges: scores beyond 1e150 count as they are, and so do margins.
  std::vector<double> far(300), grades(300), slopes(300);
  for (std::size_t i = 0; i < 300; ++i) {
    far[i] = i % 3 == 0 ? 1e200 : i % 3 == 1 ? -1e200 : 0.5;
    grades[i] = static_cast<double>(i % 2);
  }
  const list_batch<double> hinges{.scores = far, .relevance = grades};
  std::vector<double> expected(300, 0.0);
  double sum = 0.0;
  for (std::size_t i = 1; i < 300; i += 2)
    for (std::size_t j = 0; j < 300; j += 2) {
      const double rest = 1.0 - (far[i] - far[j]);
      if (!(rest > 0.0)) continue;
      sum += rest;
      expected[i] -= 1.0;
      expected[j] += 1.0;
    }
  CHECK(evaluate(pairwise<pairs::hinge>{}, hinges, {.gradient = slopes}) == Approx(sum).epsilon(1e-12));
  CHECK(slopes == expected);
  CHECK(std::isfinite(
      evaluate(pairwise<pairs::squared_hinge>{.function = {.margin = 1e300}}, hinges, {.gradient = slopes})));
  for (const double x : slopes) CHECK(std::isfinite(x));
}

TEST_CASE("pairs: lists without pairs, infinite scores, and options out of range") {
  std::vector<float> g{5, 5, 5};
  const std::vector<float> s{1, 2, 3};
  const std::vector<int> y{1, 1, 1};
  for (const pairs::average average : {pairs::average::none, pairs::average::pairs, pairs::average::weight}) {
    CHECK(evaluate(ranknet{.average = average}, list_batch<float, int>{.scores = s, .relevance = y},
                   {.gradient = g}) == 0.0);
    CHECK(g == std::vector<float>{0, 0, 0});
  }
  constexpr float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> ends{infinite, -infinite, infinite};
  const std::vector<int> grades{0, 1, 2};
  const double value =
      evaluate(ranknet{}, list_batch<float, int>{.scores = ends, .relevance = grades}, {.gradient = g});
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
  CHECK(message(ranknet{.function = {.temperature = 0.0}}) ==
        "rankloss: function.temperature: 0, expected 1e-15 to 1e300");
  CHECK(message(pairwise<pairs::hinge>{.function = {.margin = -1.0}}) ==
        "rankloss: function.margin: -1, expected 0 to 1e300");
  CHECK(message(pairwise<pairs::quantile>{.function = {.tau = 1.5}}) ==
        "rankloss: function.tau: 1.5, expected 0 to 1");
  CHECK(message(ndcg_loss2_plus{.weight = {.mu = -1.0}}) == "rankloss: weight.mu: -1, expected 0 to 1e30");
  CHECK(message(lambdarank{.weight = {.gain = gain::table}}) ==
        "rankloss: gain_table: size 0, expected one gain a grade");
}

TEST_CASE("pairwise: gradients of floats with equal scores, as of an untrained model") {
  // Every pair has the same slope, so that an item's is in proportion to how many are below it less those above.
  for (const std::size_t n : {31u, 64u, 129u, 200u, 255u, 256u, 257u, 300u}) {
    const std::vector<float> s(n, 0.75F);
    std::vector<float> y(n), g(n);
    for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(i * 7 % n);
    const auto check = [&](const auto& loss, double slope) {
      evaluate(loss, list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
      INFO(n << " items");
      double worst = 0.0;
      for (std::size_t i = 0; i < n; ++i)
        worst =
            std::max(worst, std::abs(static_cast<double>(g[i]) +
                                     slope * (2.0 * static_cast<double>(y[i]) - static_cast<double>(n - 1))));
      CHECK(worst <= 1e-6 * slope * static_cast<double>(n - 1));
    };
    const double t = 0.9985;
    check(pairwise<pairs::logistic>{.function = {.temperature = t}}, 0.5 / t);
    check(pairwise<pairs::soft_zero_one>{.function = {.temperature = t}}, 0.25 / t);
    check(pairwise<pairs::exponential>{.function = {.temperature = t}}, 1.0 / t);
    check(pairwise<pairs::hinge>{.function = {.margin = 0.3}}, 1.0);
    check(pairwise<pairs::squared_hinge>{.function = {.margin = 0.3}}, 0.6);
    check(pairwise<pairs::quantile>{.function = {.tau = 0.3}}, 0.3);
  }
}

TEST_CASE("pairwise: margins and gaps of floats keep the digits in which scores miss them") {
  const std::vector<float> s{4.001234F, 0.000567F}, grades{4.0F, 0.0F};
  std::vector<float> g(2);
  const double rest = static_cast<double>(s[0]) - static_cast<double>(s[1]) - 4.0;
  const list_batch<float> batch{.scores = s, .relevance = grades};
  CHECK(evaluate(pairwise<pairs::squared_difference>{}, batch, {.gradient = g}) ==
        Approx(rest * rest).epsilon(1e-12));
  CHECK(static_cast<double>(g[0]) == Approx(2 * rest).epsilon(1e-7));
  CHECK(evaluate(pairwise<pairs::quantile>{.function = {.tau = 0.25}}, batch, {.gradient = g}) ==
        Approx(0.75 * rest).epsilon(1e-12));
  const double margin = 4.001;
  CHECK(evaluate(pairwise<pairs::hinge>{.function = {.margin = margin}}, batch, {.gradient = g}) ==
        Approx(margin - 4.0 - rest).epsilon(1e-10));
  evaluate(pairwise<pairs::squared_hinge>{.function = {.margin = margin}}, batch, {.gradient = g});
  CHECK(static_cast<double>(g[0]) == Approx(-2 * (margin - 4.0 - rest)).epsilon(1e-7));
}

TEMPLATE_TEST_CASE("pairwise: the Hessian of squared differences counts those that are 0", "", float,
                   double) {
  for (const std::size_t n : {5u, 100u, 255u, 256u, 300u, 1000u}) {
    std::vector<TestType> s(n), g(n), h(n);
    for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<TestType>(i % 5);
    INFO(n << " items");
    CHECK(evaluate(pairwise<pairs::squared_difference>{}, list_batch<TestType>{.scores = s, .relevance = s},
                   {.gradient = g, .hessian = h}) == 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t others = 0;
      for (std::size_t j = 0; j < n; ++j) others += s[j] != s[i] ? 1u : 0u;
      CHECK(h[i] == static_cast<TestType>(2 * others));
      CHECK(g[i] == TestType{0});
    }
  }
}

TEMPLATE_TEST_CASE("pairwise: reciprocals of deep ranks keep the digits in which they differ", "", float,
                   double) {
  // The first relevant item is at rank n - 1, and the only other one behind it.
  constexpr std::size_t n = 100001;
  std::vector<TestType> s(n), y(n), g(n);
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<TestType>(n - i) / TestType(1024);
  y[n - 2] = TestType{1};
  const double t = 0.01;
  evaluate(pairwise<pairs::soft_zero_one, pairs::delta_mrr>{.function = {.temperature = t}},
           list_batch<TestType>{.scores = s, .relevance = y}, {.gradient = g});
  real expected = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (j == n - 2) continue;
    const reference::sigmoid f((real(s[j]) - real(s[n - 2])) / t);
    const real ranks = real(j + 1) * real(n - 1), apart = std::abs(real(j) - real(n - 2));
    expected -= f.slope / t * apart / ranks;
  }
  CHECK(static_cast<double>(g[n - 2]) ==
        Approx(static_cast<double>(expected)).epsilon(sizeof(TestType) == 4 ? 2e-6 : 1e-13));
}

TEMPLATE_TEST_CASE("pairwise: weights of any ratio, where pairs of great weight are none or solved", "",
                   float, double) {
  using T = TestType;
  const auto check = [](const auto& made) {
    for (const std::size_t n : {6u, 40u, 300u, 1000u}) {
      INFO(n << " items");
      auto loss = made;
      loss.average = pairs::average::weight;
      std::vector<T> s(n), y(n), plain(n), weighted(n);
      std::vector<double> w(n, 1e30);
      for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<T>(i % 11) / T(4);
      // Only the first item is preferred to any, and the weights of the others are those of no pair.
      y[0] = 1, w[0] = sizeof(T) == 4 ? 1e-30 : 1e-300;
      if (sizeof(T) == 8) std::fill(w.begin() + 1, w.end(), 1e300);
      const double value =
          evaluate(loss, list_batch<T>{.scores = s, .relevance = y}, {.gradient = plain, .hessian = {}});
      CHECK(value > 0.0);
      const list_batch<T> batch{.scores = s, .relevance = y, .item_weights = w};
      CHECK(evaluate(loss, batch, {.gradient = weighted}) == Approx(value).epsilon(1e-6));
      CHECK(reference::relative_error(weighted, reference::widen(plain)) <= 2e-6);
      // Another one is preferred to all, is 70 temperatures above them, and weighs as much: its slopes are as small as
      // those of the first one.
      s[n - 1] = 70, y[n - 1] = 1, w[0] = 1, w[n - 1] = 1e30;
      loss.average = pairs::average::none;
      std::vector<double> s2(s.begin(), s.end()), y2(y.begin(), y.end()), expected(n);
      evaluate(loss, list_batch<double>{.scores = s2, .relevance = y2, .item_weights = w},
               {.gradient = expected});
      evaluate(loss, batch, {.gradient = weighted});
      CHECK(reference::relative_error(weighted, reference::widen(expected)) <= 2e-6);
    }
  };
  check(ranknet{});
  check(lambdarank{});
  check(lambdarank_map{});
  check(pairwise<pairs::soft_zero_one>{});
  check(ndcg_loss2{});
}

TEMPLATE_TEST_CASE("pairwise: small gains keep their digits beside great ones", "", float, double) {
  using T = TestType;
  // Half of the items are worth 1e20 times as much as the others, but only those have a weight.
  for (const std::size_t n : {6u, 40u, 300u, 1000u}) {
    INFO(n << " items");
    std::vector<T> s(n), y(n), g(n);
    std::vector<double> w(n);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = static_cast<T>(i * 7919 % n) / static_cast<T>(n);
      w[i] = i % 2 == 0 ? 1.0 : 0.0;
      y[i] = static_cast<T>(1 + i * 31 % 11) * (i % 2 == 0 ? T(1e-14) : T(1e6));
    }
    const auto wide = reference::widen(s), gains = reference::widen(y);
    const auto rank = reference::ordinal_ranks(wide);
    const auto check = [&](auto loss, const std::function<real(std::size_t, std::size_t)>& by_rank) {
      loss.weight.gain = gain::linear;
      loss.average = pairs::average::weight;
      auto expected = reference::sum_over_pairs(
          wide, gains, reference::logistic(1),
          [&](std::size_t i, std::size_t j) {
            return (gains[i] - gains[j]) * by_rank(rank[i], rank[j]) * real(w[i]);
          },
          [&](std::size_t i, std::size_t j) { return gains[i] > gains[j]; });
      for (real& x : expected.total.gradient) x /= expected.weight;
      const double value =
          evaluate(loss, list_batch<T>{.scores = s, .relevance = y, .item_weights = w}, {.gradient = g});
      const double digits = sizeof(T) == 4 ? 2e-6 : 1e-13;
      CHECK(value == Approx(double(expected.total.value / expected.weight)).epsilon(digits));
      CHECK(reference::relative_error(g, expected.total.gradient) <= digits);
    };
    check(lambdarank{}, [](std::size_t a, std::size_t b) {
      return std::abs(reference::discount(a) - reference::discount(b));
    });
    check(ndcg_loss2{}, [](std::size_t a, std::size_t b) {
      const std::size_t apart = a > b ? a - b : b - a;
      return reference::discount(apart) - reference::discount(apart + 1);
    });
  }
}

TEMPLATE_TEST_CASE("pairwise: gaps of relevance keep their digits beside scores far from 0", "", float,
                   double) {
  using T = TestType;
  const T far = sizeof(T) == 4 ? T(0x1p23) : static_cast<T>(0x1p52);
  for (const T offset : {far, -2 * far})
    for (const std::size_t n : {100u, 300u, 1000u}) {
      INFO(n << " items, offset " << offset);
      std::vector<T> s(n), moved(n), y(n), near(n), g(n);
      for (std::size_t i = 0; i < n; ++i) {
        s[i] = static_cast<T>(i * i % 7), moved[i] = offset + s[i];
        y[i] = static_cast<T>(i % 9) / T(4);
      }
      const auto check = [&](const auto& loss) {
        const double value =
            evaluate(loss, list_batch<T>{.scores = s, .relevance = y}, {.gradient = near, .hessian = {}});
        CHECK(evaluate(loss, list_batch<T>{.scores = moved, .relevance = y}, {.gradient = g}) ==
              Approx(value).epsilon(1e-13));
        CHECK(reference::relative_error(g, reference::widen(near)) <= (sizeof(T) == 4 ? 2e-6 : 1e-13));
      };
      check(pairwise<pairs::squared_difference>{});
      check(pairwise<pairs::quantile>{.function = {.tau = 0.3}});
    }
}

}  // namespace pairwise_test
