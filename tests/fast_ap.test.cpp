// SPDX-License-Identifier: BSL-1.0
#include <rankloss/fast_ap.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/threads.hpp>

#include "support/fast_ap_reference.hpp"
#include "support/peer_embeddings.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace fast_ap_test {

namespace {

using rankloss::evaluate;
using rankloss::fast_ap;
using rankloss::list_batch;
using doubles = std::vector<double>;

double of_list(const doubles& s, const doubles& y, std::size_t bins = 10, doubles* gradient = nullptr) {
  doubles g(s.size(), 7.0);
  const double value =
      evaluate(fast_ap{.bins = bins}, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
  if (gradient != nullptr) *gradient = g;
  return value;
}

TEST_CASE("fast_ap of histograms that can be counted by hand") {
  // Two bins of width 2: cosines 1, 0 and -1 are at the edges 0, 2 and 4.
  CHECK(of_list({1.0, 0.0, -1.0}, {1, 0, 0}, 2) == 0.0);
  CHECK(of_list({1.0, 0.0, -1.0}, {0, 1, 0}, 2) == Approx(1.0 - 1.0 / 2));
  CHECK(of_list({1.0, 0.0, -1.0}, {0, 1, 1}, 2) == Approx(1.0 - (1.0 / 2 + 2.0 / 3) / 2));
  // Halfway between two edges an item is half in either: precision 1/2 of 1/2 at the first, 1 of 1 ... of 2.
  doubles g;
  CHECK(of_list({0.5, 0.0}, {1, 0}, 2, &g) == Approx(1.0 - (0.5 * 1.0 + 0.5 * 0.5)));
  // h+ = (1 - u, u), H = (1 - u, 2) with u = 1 - s: the sum is 1 - u + u / 2.
  CHECK(g[0] == Approx(-0.5));
  CHECK(g[1] == 0.0);  // at an edge
}

TEST_CASE("fast_ap of equal scores is what chance gives, and of a perfect order it is 0") {
  CHECK(of_list({1.0, 1.0, 1.0, 1.0, 1.0}, {1, 0, 0, 1, 0}) == Approx(1.0 - 2.0 / 5));
  CHECK(of_list({0.9, 0.8, -0.3, -0.4}, {1, 2, 0, 0}) == Approx(0.0).margin(1e-15));
}

TEMPLATE_TEST_CASE("fast_ap is its formula", "", float, double) {
  std::mt19937_64 random(5);
  const double digits = std::is_same_v<TestType, float> ? 1e-6 : 1e-12;
  for (const std::size_t n : {1u, 2u, 7u, 60u, 300u})
    for (const std::size_t bins : {1u, 7u, 10u, 64u})
      for (const bool weighted : {false, true}) {
        std::vector<TestType> s, y;
        std::vector<bool> positive;
        doubles w;
        for (std::size_t i = 0; i < n; ++i) {
          s.push_back(static_cast<TestType>(std::uniform_real_distribution<double>(-1.1, 1.1)(random)));
          positive.push_back(i == 0 || random() % 4 == 0);
          y.push_back(positive.back() ? TestType{2} : TestType{-1});
          w.push_back(weighted ? 1.0 + static_cast<double>(random() % 3) : 1.0);
        }
        const auto right = reference::fast_ap(reference::widen(s), positive, reference::widen(w), bins);
        std::vector<TestType> g(n, TestType{7});
        list_batch<TestType> batch{.scores = s, .relevance = y};
        if (weighted) batch.item_weights = w;
        const double value = evaluate(fast_ap{.bins = bins}, batch, {.gradient = g});
        CHECK(value == Approx(static_cast<double>(right.value)).margin(1e-13));
        double largest = 1e-3;
        for (const auto x : right.gradient) largest = std::max(largest, std::abs(static_cast<double>(x)));
        double worst = 0.0;
        for (std::size_t i = 0; i < n; ++i)
          worst =
              std::max(worst, std::abs(static_cast<double>(g[i]) - static_cast<double>(right.gradient[i])));
        CHECK(worst < digits * largest);
      }
}

TEST_CASE("the gradient of fast_ap is the slope of its value") {
  std::mt19937_64 random(6);
  doubles s, y, g;
  for (std::size_t i = 0; i < 40; ++i) {
    s.push_back(std::uniform_real_distribution<double>(-0.99, 0.99)(random));
    y.push_back(i % 5 == 0 ? 1.0 : 0.0);
  }
  of_list(s, y, 10, &g);
  for (std::size_t i = 0; i < s.size(); ++i) {
    const double h = 1e-7;
    const double middle = s[i];
    s[i] = middle + h;
    const double above = of_list(s, y);
    s[i] = middle - h;
    const double below = of_list(s, y);
    s[i] = middle;
    CHECK(g[i] == Approx((above - below) / (2 * h)).margin(1e-7));
  }
}

TEST_CASE("fast_ap agrees with pytorch-metric-learning") {
  const peers::of_embeddings peer{
      0.575825751,
      {0.266434163,   -0.00924109668, -0.0511120781, 0.180075049,   -0.0265047923, 0.310095578,
       -0.26938504,   -0.0236370154,  0.00856369734, 0.0221285522,  0.109946147,   0.0234455355,
       -0.0098085925, -0.255872667,   0.294814825,   0.0186332613,  -0.115668952,  -0.0277606398,
       0.0386515372,  -0.108008079,   0.0177101772,  -0.0511323102, 0.0275697112,  -0.0331363492}};
  const doubles s = peers::embedding_cosines();
  auto batch = peers::embedding_batch(s);
  batch.reduction = rankloss::reduction::mean_of_relevant;
  doubles g(s.size());
  for (const auto over : {rankloss::directions::rows, rankloss::directions::both}) {  // of a symmetric matrix
    CHECK(evaluate(fast_ap{.over = over}, batch, {.gradient = g}) == Approx(peer.value).epsilon(1e-6));
    peers::check_by_embeddings(g, peer);
  }
}

TEST_CASE("fast_ap: queries without positives or without negatives are 0") {
  doubles g;
  CHECK(of_list({0.3, 0.1}, {0, 0}, 10, &g) == 0.0);
  CHECK(g == doubles{0, 0});
  CHECK(of_list({0.3, 0.1}, {1, 1}, 10, &g) == Approx(0.0).margin(1e-15));
  for (const double x : g) CHECK(x == Approx(0.0).margin(1e-15));
  // In a matrix the former are left out of the mean.
  const doubles s{0.9, 0.2, 0.9, 0.2};
  const std::vector<std::uint8_t> matches{0, 1, 0, 0};
  const rankloss::similarity_batch<double> batch{.similarity = s,
                                                 .rows = 2,
                                                 .columns = 2,
                                                 .matches = matches,
                                                 .reduction = rankloss::reduction::mean_of_relevant};
  CHECK(evaluate(fast_ap{.over = rankloss::directions::rows}, batch) == of_list({0.9, 0.2}, {0, 1}));
}

TEST_CASE("fast_ap: scores beyond 1 and -1 count as these, without slope") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double most = std::numeric_limits<double>::max();
  const double within = of_list({1.0, 0.35, -1.0}, {0, 1, 1});
  for (const double beyond : {1.5, most, infinity}) {
    doubles g;
    CHECK(of_list({beyond, 0.35, -beyond}, {0, 1, 1}, 10, &g) == within);
    CHECK(g[0] == 0.0);
    CHECK(g[1] != 0.0);
    CHECK(g[2] == 0.0);
  }
}

TEST_CASE("fast_ap: item weights of any size are a matter of their ratios") {
  const doubles s{0.7, 0.31, 0.12, -0.4};
  const doubles y{0, 1, 0, 1};
  const auto of_weights = [&](double unit) {
    const doubles w{unit, 2 * unit, 3 * unit, unit};
    return evaluate(fast_ap{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = w});
  };
  CHECK(of_weights(0x1p1021) == of_weights(1.0));
  CHECK(of_weights(0x1p-1000) == of_weights(1.0));
}

TEST_CASE("fast_ap gives the same bits on any number of threads") {
  std::mt19937_64 random(7);
  const std::size_t n = 90;
  std::vector<float> s;
  for (std::size_t k = 0; k < n * n; ++k)
    s.push_back(static_cast<float>(std::uniform_real_distribution<double>(-1.0, 1.0)(random)));
  const auto classes = support::whole_numbers<int>(random, n, 9);
  const rankloss::similarity_batch<float> batch{
      .similarity = s, .rows = n, .columns = n, .row_classes = classes, .column_classes = classes};
  std::vector<float> alone(n * n);
  const double value = evaluate(fast_ap{}, batch, {.gradient = alone});
  for (const std::size_t workers : {1u, 3u}) {
    rankloss::context context{rankloss::threads(workers)};
    std::vector<float> gradient(n * n);
    CHECK(evaluate(fast_ap{}, batch, {.gradient = gradient}, context) == value);
    CHECK(gradient == alone);
  }
}

TEST_CASE("fast_ap names what does not fit") {
  const doubles s{0.1, 0.2};
  CHECK_THROWS_WITH(of_list({0.1}, {1}, 0), "rankloss: bins: 0, expected 1 to 2^20");
  CHECK_THROWS_WITH(
      evaluate(fast_ap{}, rankloss::similarity_batch<double>{.similarity = s, .rows = 1, .columns = 2}),
      "rankloss: matches: none given for 1 rows and 2 columns, expected a square matrix, extra_columns, "
      "matches or classes");
}

}  // namespace

}  // namespace fast_ap_test
