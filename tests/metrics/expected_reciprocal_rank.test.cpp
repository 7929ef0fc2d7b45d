// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/expected_reciprocal_rank.hpp>

#include <rankloss/threads.hpp>

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

namespace metrics_expected_reciprocal_rank_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::expected_reciprocal_rank;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("expected_reciprocal_rank by hand") {
  const std::vector<double> s{3, 2, 1};
  // p = 3/8, 0, 7/8 of grades 2, 0, 3
  const std::vector<int> y{2, 0, 3};
  CHECK(of(expected_reciprocal_rank{}, s, y) ==
        Approx(3.0 / 8.0 + 5.0 / 8.0 * 7.0 / 8.0 / 3.0).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{.cutoff = 2}, s, y) == 3.0 / 8.0);
  CHECK(of(expected_reciprocal_rank{.max_grade = 4.0}, s, y) ==
        Approx(3.0 / 16.0 + 13.0 / 16.0 * 7.0 / 16.0 / 3.0).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{.max_grade = 2.0}, s, y) ==
        Approx(3.0 / 4.0 + 1.0 / 4.0 * 3.0 / 4.0 / 3.0).epsilon(1e-14));
  // Two items in either order.
  const std::vector<double> tied{1, 1};
  CHECK(of(expected_reciprocal_rank{}, tied, std::vector<int>{1, 0}) ==
        Approx(0.5 * (0.5 + 0.25)).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{}, tied, std::vector<int>{1, 2}) ==
        Approx(0.5 * (0.25 + 0.75 * 0.75 / 2.0) + 0.5 * (0.75 + 0.25 * 0.25 / 2.0)).epsilon(1e-14));
}

template <class R>
std::vector<double> stopping(const std::vector<R>& y, const std::vector<double>& w, double max_grade) {
  double most = max_grade;
  if (most == 0.0)
    for (std::size_t i = 0; i < y.size(); ++i)
      most = w[i] > 0.0 ? std::max(most, static_cast<double>(y[i])) : most;
  std::vector<double> p(y.size(), 0.0);
  for (std::size_t i = 0; i < y.size(); ++i)
    if (y[i] > 0 && w[i] > 0.0)
      p[i] = (std::pow(2.0, std::min(static_cast<double>(y[i]), most)) - 1.0) / std::pow(2.0, most);
  return p;
}

TEMPLATE_TEST_CASE("expected_reciprocal_rank is the mean over all orders of equal scores", "", float,
                   double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    auto y = support::whole_numbers<TestType>(random, n, 5);
    for (auto& grade : y) grade = std::max(grade / 2 - TestType(0.5), TestType(0));
    const auto w = support::whole_numbers<double>(random, n, 3);
    const list_batch<TestType> batch{.scores = s, .relevance = y, .item_weights = w};
    for (const double max_grade : {0.0, 1.0, 4.0}) {
      const std::vector<double> p = stopping(y, w, max_grade);
      for (std::size_t k = 0; k <= n + 1; ++k) {
        const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
          double sum = 0.0;
          double reached = 1.0;
          for (std::size_t r = 1; r <= (k == 0 ? n : std::min(k, n)); ++r) {
            sum += reached * p[order[r - 1]] / static_cast<double>(r);
            reached *= 1.0 - p[order[r - 1]];
          }
          return sum;
        });
        CHECK(evaluate(expected_reciprocal_rank{.cutoff = k, .max_grade = max_grade}, batch) ==
              Approx(expected).epsilon(1e-13));
      }
    }
  }
}

/// ERR of n items of equal score from the elementary symmetric means of 1 - p, after `above` items that stop
/// nobody.
double of_one_run(const std::vector<double>& p, std::size_t above, std::size_t k) {
  std::vector<long double> mean{1.0L};
  for (std::size_t m = 1; m <= p.size(); ++m) {
    mean.push_back(0.0L);
    for (std::size_t t = m; t > 0; --t) {
      const long double share = static_cast<long double>(t) / static_cast<long double>(m);
      mean[t] = (1.0L - share) * mean[t] + share * (1.0L - p[m - 1]) * mean[t - 1];
    }
  }
  long double sum = 0.0L;
  for (std::size_t t = 0; t < p.size() && above + t < k; ++t)
    sum += (mean[t] - mean[t + 1]) / static_cast<long double>(above + t + 1);
  return static_cast<double>(sum);
}

TEST_CASE("expected_reciprocal_rank of long runs of equal scores") {
  std::mt19937_64 random(2);
  for (const std::size_t n : {3u, 50u, 1500u})
    for (const unsigned sparse : {1u, 4u, 100u})
      for (const std::size_t above : {0u, 7u})
        for (const std::size_t k : {0u, 10u, 40u}) {
          std::vector<float> s(above + n, 1.0f);
          std::fill_n(s.begin(), above, 2.0f);
          std::vector<int> y(above + n, 0);
          for (std::size_t i = above; i < above + n; ++i)
            y[i] = random() % sparse == 0 ? static_cast<int>(random() % 5) : 0;
          y[above] = 3;
          const auto p = stopping(y, std::vector<double>(above + n, 1.0), 4.0);
          const std::vector<double> of_run(p.begin() + static_cast<std::ptrdiff_t>(above), p.end());
          CHECK(of(expected_reciprocal_rank{.cutoff = k, .max_grade = 4.0}, s, y) ==
                Approx(of_one_run(of_run, above, k == 0 ? above + n : k)).epsilon(1e-12));
        }
}

TEST_CASE("expected_reciprocal_rank of a constant model whose items are all alike") {
  // Items of probability p in any order: sum_t p (1 - p)^t / (t + 1). Only the first hundreds of them can
  // matter.
  const std::size_t n = 100000;
  const std::vector<float> s(n, 1.0f);
  const std::vector<int> y(n, 1);
  for (const double max_grade : {1.0, 3.0, 5.0}) {
    const double p = std::pow(2.0, -max_grade);
    CHECK(of(expected_reciprocal_rank{.max_grade = max_grade}, s, y) ==
          Approx(-p / (1.0 - p) * std::log(p)).epsilon(1e-12));
  }
}

TEST_CASE("expected_reciprocal_rank keeps the digits of small probabilities") {
  const std::vector<double> s(4, 1.0);
  const std::vector<int> y{1, 0, 0, 0};
  const double p = std::pow(2.0, -50.0);
  CHECK(of(expected_reciprocal_rank{.max_grade = 50.0}, s, y) ==
        Approx(p * (1.0 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4) / 4.0).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{}, s, std::vector<double>{1e-12, 0, 0, 0}) ==
        Approx(std::log(2.0) * 1e-12 * 25.0 / 48.0).epsilon(1e-11));
}

TEST_CASE("expected_reciprocal_rank of grades of any size") {
  const std::vector<double> s{3, 2, 1};
  CHECK(of(expected_reciprocal_rank{}, s, std::vector<double>{2000, 1e300, 0}) == Approx(0.5).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{}, s, std::vector<double>{1999, 2000, 0}) ==
        Approx(0.5 + 0.5 / 2.0).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("expected_reciprocal_rank as a function of ranks", "", float, double) {
  // The order stays while ranks move less than they lie apart: central differences hold.
  support::check_rank_function<TestType>([](std::size_t k) { return expected_reciprocal_rank{.cutoff = k}; },
                                         4);
  support::check_rank_function<TestType>(
      [](std::size_t k) { return expected_reciprocal_rank{.cutoff = k, .max_grade = 5.0}; }, 3);
  support::check_nothing_relevant(expected_reciprocal_rank{.cutoff = 2});
}

TEST_CASE("expected_reciprocal_rank of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 2, 0};
  const auto items = support::list_of(s, y);
  std::vector<double> by_rank(3, 99.0);
  CHECK(support::of_ranks(expected_reciprocal_rank{}, {2.5, 1.25, 1.5}, items, by_rank) ==
        Approx(0.75 / 1.25 + 0.25 * 0.25 / 2.5).epsilon(1e-14));
  CHECK(by_rank[0] == Approx(-0.25 * 0.25 / 6.25).epsilon(1e-14));
  CHECK(by_rank[1] == Approx(-0.75 / 1.5625).epsilon(1e-14));
  CHECK(by_rank[2] == 0.0);
  // Equal ranks: the first of the items comes first.
  CHECK(support::of_ranks(expected_reciprocal_rank{}, {2, 2, 2}, items) ==
        Approx(0.25 / 2 + 0.75 * 0.75 / 2).epsilon(1e-14));
}

TEST_CASE("expected_reciprocal_rank at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(expected_reciprocal_rank{}, s, std::vector<int>{1, 0, 1, 0}) ==
        Approx(0.5 * (0.5 + 0.25) + 0.5 * 0.5 / 4.0).epsilon(1e-14));
  CHECK(of(expected_reciprocal_rank{}, std::vector<float>{}, std::vector<int>{}) == 0.0);

  const std::vector<int> y{1, 0, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(expected_reciprocal_rank{}, batch) == 0.125);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(expected_reciprocal_rank{}, batch) == 0.25);
  CHECK_THROWS_WITH(evaluate(expected_reciprocal_rank{.max_grade = -1.0}, batch),
                    "rankloss: max_grade: -1, expected 0 to 1e300");
  CHECK_THROWS_WITH(evaluate(expected_reciprocal_rank{.max_grade = infinity}, batch),
                    "rankloss: max_grade: inf, expected 0 to 1e300");
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(expected_reciprocal_rank{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEST_CASE("expected_reciprocal_rank gives the same bits on any number of threads") {
  std::mt19937_64 random(3);
  std::vector<std::size_t> offsets{0};
  while (offsets.size() <= 300) offsets.push_back(offsets.back() + random() % 90);
  const auto s = support::whole_numbers<float>(random, offsets.back(), 30);
  const auto y = support::whole_numbers<int>(random, offsets.back(), 5);
  const list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  rankloss::context context{rankloss::threads(5)};
  CHECK(evaluate(expected_reciprocal_rank{.cutoff = 10}, batch, {}, context) ==
        evaluate(expected_reciprocal_rank{.cutoff = 10}, batch));
}

TEMPLATE_TEST_CASE("expected_reciprocal_rank of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return expected_reciprocal_rank{.cutoff = k}; });
  support::check_missed<TestType>(
      [](std::size_t k) { return expected_reciprocal_rank{.cutoff = k, .max_grade = 4.0}; });
}

TEST_CASE("expected_reciprocal_rank refuses relevance below 0") {
  support::refuses_below_0(expected_reciprocal_rank{});
  support::refuses_below_0(expected_reciprocal_rank{.cutoff = 2, .max_grade = 4});
}

}  // namespace

}  // namespace metrics_expected_reciprocal_rank_test
