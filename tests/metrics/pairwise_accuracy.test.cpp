// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/pairwise_accuracy.hpp>

#include "support/one_list.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_pairwise_accuracy_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::metrics::pairwise_accuracy;
using rankloss::metrics::tied_pairs;
using support::of;

template <class T>
long double plain(tied_pairs ties, const std::vector<T>& s, const std::vector<int>& y,
                  const std::vector<double>& w) {
  long double right = 0, all = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j) {
      // An item of weight 0 takes no part, neither above nor below.
      if (!(y[i] > y[j] && w[i] > 0.0 && w[j] > 0.0) || (s[i] == s[j] && ties == tied_pairs::left_out))
        continue;
      const auto weight = static_cast<long double>(w[i]);
      all += weight;
      right += s[i] > s[j] ? weight : s[i] == s[j] && ties == tied_pairs::half ? weight / 2 : 0;
    }
  return all > 0 ? right / all : 0;
}

TEST_CASE("pairwise_accuracy of Rax's example") {
  CHECK(of(pairwise_accuracy{}, std::vector<double>{0, 3, 1, 2}, std::vector<int>{0, 0, 1, 1}) == 0.5);
  CHECK(of(pairwise_accuracy{}, std::vector<double>{1, 4, 3, 2}, std::vector<int>{2, 0, 0, 1}) == 0.0);
}

TEMPLATE_TEST_CASE("pairwise_accuracy is that of the plain sums over pairs", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 150; ++round) {
    const std::size_t n = 1 + random() % 70;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(random() % 90));
    const auto y = support::whole_numbers<int>(random, n, 1 + static_cast<unsigned>(random() % 40));
    auto w = support::whole_numbers<double>(random, n, 4);
    for (std::size_t i = 0; i < n; ++i) w[i] *= 0.1 + static_cast<double>(i % 3);
    for (const tied_pairs ties : {tied_pairs::half, tied_pairs::wrong, tied_pairs::left_out}) {
      const pairwise_accuracy metric{.ties = ties};
      CHECK(of(metric, s, y) ==
            Approx(static_cast<double>(plain(ties, s, y, std::vector<double>(n, 1.0)))).margin(1e-15));
      CHECK(evaluate(metric, list_batch<TestType, int>{.scores = s, .relevance = y, .item_weights = w}) ==
            Approx(static_cast<double>(plain(ties, s, y, w))).margin(1e-14));
    }
  }
}

TEST_CASE("pairwise_accuracy where ties count half is the mean over all orders of equal scores") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 30; ++round) {
    const std::size_t n = 2 + random() % 5;
    const auto s = support::whole_numbers<double>(random, n, 3);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const double expected = support::mean_over_tied_orders(s, [&](const std::vector<std::size_t>& order) {
      double right = 0.0, all = 0.0;
      for (std::size_t p = 0; p < n; ++p)
        for (std::size_t q = p + 1; q < n; ++q) {
          right += y[order[p]] > y[order[q]] ? 1.0 : 0.0;
          all += y[order[p]] != y[order[q]] ? 1.0 : 0.0;
        }
      return all > 0.0 ? right / all : 0.0;
    });
    CHECK(of(pairwise_accuracy{}, s, y) == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("pairwise_accuracy at the edges") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(of(pairwise_accuracy{}, std::vector<double>{}, std::vector<int>{}) == 0.0);
  CHECK(of(pairwise_accuracy{}, std::vector<double>{1, 2}, std::vector<int>{1, 1}) == 0.0);
  CHECK(of(pairwise_accuracy{}, std::vector<double>{-infinity, infinity}, std::vector<double>{-0.5, 0.5}) ==
        1.0);
  CHECK(of(pairwise_accuracy{}, std::vector<double>{1, 1}, std::vector<int>{0, 1}) == 0.5);
  CHECK(of(pairwise_accuracy{.ties = tied_pairs::wrong}, std::vector<double>{1, 1}, std::vector<int>{0, 1}) ==
        0.0);
  CHECK(of(pairwise_accuracy{.ties = tied_pairs::left_out}, std::vector<double>{1, 1},
           std::vector<int>{0, 1}) == 0.0);
  const std::vector<double> s{1, 2, 2, 1};
  const std::vector<int> offsets{0, 2, 4}, y{0, 1, 3, 3};
  CHECK(evaluate(pairwise_accuracy{},
                 list_batch<double, int>{.scores = s,
                                         .relevance = y,
                                         .offsets = offsets,
                                         .reduction = rankloss::reduction::mean_of_relevant}) == 1.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(
      evaluate(pairwise_accuracy{}, list_batch<double, int>{.scores = s, .relevance = y}, {.gradient = out}),
      "rankloss: gradient: a metric has none, expected an empty output");
}

}  // namespace

}  // namespace metrics_pairwise_accuracy_test
