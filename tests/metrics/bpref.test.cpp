// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/bpref.hpp>

#include "support/one_list.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_bpref_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::bpref;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("bpref by hand") {
  const std::vector<double> s{6, 5, 4, 3, 2, 1};
  // R = 2, N = 4: the first relevant item has one other above it, the second three.
  CHECK(of(bpref{}, s, std::vector<int>{0, 1, 0, 0, 2, 0}) ==
        Approx(0.5 * (1.0 - 1.0 / 2.0) + 0.5 * (1.0 - 2.0 / 2.0)));
  // R = 4, N = 2: divided by N.
  CHECK(of(bpref{}, s, std::vector<int>{1, 0, 1, 0, 1, 1}) == Approx((1.0 + 0.5 + 0.0 + 0.0) / 4.0));
  // What is not judged is as if it were not there.
  CHECK(of(bpref{}, s, std::vector<int>{-1, 1, -1, -2, 1, -1}) == 1.0);
  CHECK(of(bpref{}, s, std::vector<int>{-1, 0, 1, -1, 0, 1}) == Approx((0.5 + 0.0) / 2.0));
  const std::vector<int> y{0, 1, 0, 0, 1, 0};
  const std::vector<double> judged{0, 1, 1, 0, 1, 0};
  CHECK(evaluate(bpref{}, list_batch<double, int>{.scores = s, .relevance = y, .item_weights = judged}) ==
        Approx((1.0 + 0.0) / 2.0));
  // What is missed counts in R and in N: here both are 3.
  const std::vector<int> all{0, 1, 1, 0, 1, 0};
  const std::vector<unsigned char> missed{0, 0, 0, 1, 1, 1};
  CHECK(evaluate(bpref{}, list_batch<double, int>{.scores = s, .relevance = all, .missed = missed}) ==
        Approx(2.0 * (1.0 - 1.0 / 3.0) / 3.0));
}

TEMPLATE_TEST_CASE(
    "bpref is the mean over all orders of equal scores, where missed items count and earn nothing", "", float,
    double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 100; ++round) {
    const std::size_t n = 1 + random() % 7;
    const std::size_t all = n + random() % 5;
    auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    auto y = support::whole_numbers<int>(random, all, 4);
    for (int& grade : y) grade -= 1;
    const auto w = support::whole_numbers<double>(random, all, 3);
    double total = 0.0;
    int relevant = 0;
    int others = 0;
    for (std::size_t i = 0; i < all; ++i) {
      if (w[i] == 0.0 || y[i] < 0) continue;
      (y[i] > 0 ? relevant : others) += 1;
      total += y[i] > 0 ? w[i] : 0.0;
    }
    const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
      double sum = 0.0;
      int above = 0;
      for (const std::size_t i : order) {
        if (w[i] == 0.0 || y[i] < 0) continue;
        if (y[i] == 0) ++above;
        if (y[i] > 0)
          sum += w[i] * (above > 0 ? 1.0 - static_cast<double>(std::min(above, relevant)) /
                                               std::min(others, relevant)
                                   : 1.0);
      }
      return relevant > 0 ? sum / total : 0.0;
    });
    std::vector<unsigned char> missed(n, 0);
    missed.resize(all, 1);
    s.resize(all, TestType{9});  // no score of a missed item is used
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w, .missed = missed};
    CHECK(evaluate(bpref{}, batch) == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("bpref at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(bpref{}, s, std::vector<int>{1, 0, 1, 0}) == Approx((0.75 + 0.0) / 2.0));
  CHECK(of(bpref{}, std::vector<float>{}, std::vector<int>{}) == 0.0);
  CHECK(of(bpref{}, s, std::vector<float>{-1, -1, -1, -1}) == 0.0);
  const std::vector<int> y{0, 0, 1, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(bpref{}, batch) == 0.25);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(bpref{}, batch) == 0.5);
  // R counts what is relevant, however light.
  const std::vector<int> two{0, 1, 0, 1};
  const std::vector<double> w{1.0, 1e300, 1.0, 1e-320};
  const std::vector<double> falling{4, 3, 2, 1};
  CHECK(evaluate(bpref{}, list_batch<double, int>{.scores = falling, .relevance = two, .item_weights = w}) ==
        0.5);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(bpref{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

}  // namespace

}  // namespace metrics_bpref_test
