// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/kendall_tau.hpp>

#include <rankloss/threads.hpp>

#include "support/one_list.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace metrics_kendall_tau_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::metrics::kendall_tau;
using rankloss::metrics::tau;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Pair by pair.
template <class T, class R>
long double plain(tau variant, const std::vector<T>& s, const std::vector<R>& y,
                  const std::vector<double>& w) {
  long double difference = 0, all = 0, x_untied = 0, y_untied = 0, mass = 0;
  std::set<T> scores;
  std::set<R> grades;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!(w[i] > 0.0)) continue;
    mass += static_cast<long double>(w[i]);
    scores.insert(s[i]);
    grades.insert(y[i]);
    for (std::size_t j = 0; j < i; ++j) {
      const long double both = static_cast<long double>(w[i]) * static_cast<long double>(w[j]);
      const int by_score = (s[i] > s[j]) - (s[i] < s[j]);
      const int by_relevance = (y[i] > y[j]) - (y[i] < y[j]);
      difference += both * static_cast<long double>(by_score * by_relevance);
      all += both;
      x_untied += by_score != 0 ? both : 0;
      y_untied += by_relevance != 0 ? both : 0;
    }
  }
  if (!(x_untied > 0) || !(y_untied > 0)) return 0;
  if (variant == tau::a) return difference / all;
  if (variant == tau::b) return difference / std::sqrt(x_untied * y_untied);
  const auto m = static_cast<long double>(std::min(scores.size(), grades.size()));
  return 2 * m * difference / ((m - 1) * mass * mass);
}

TEST_CASE("kendall_tau worked by hand") {
  const std::vector<double> s{1, 2, 3, 4};
  // Five pairs of six agree.
  CHECK(of(kendall_tau{}, s, std::vector<int>{1, 2, 4, 3}) == Approx(4.0 / 6.0).epsilon(1e-15));
  CHECK(of(kendall_tau{.variant = tau::a}, s, std::vector<int>{1, 2, 4, 3}) ==
        Approx(4.0 / 6.0).epsilon(1e-15));
  CHECK(of(kendall_tau{.variant = tau::c}, s, std::vector<int>{1, 2, 4, 3}) ==
        Approx(4.0 / 6.0).epsilon(1e-15));
  // Two grades: four pairs of different relevance, all in order; two of six tie.
  const std::vector<int> halves{0, 0, 1, 1};
  CHECK(of(kendall_tau{.variant = tau::a}, s, halves) == Approx(4.0 / 6.0).epsilon(1e-15));
  CHECK(of(kendall_tau{.variant = tau::b}, s, halves) == Approx(4.0 / std::sqrt(24.0)).epsilon(1e-15));
  CHECK(of(kendall_tau{.variant = tau::c}, s, halves) == Approx(1.0).epsilon(1e-15));
  // Ties in the same positions: only tau-b and tau-c reach 1.
  CHECK(of(kendall_tau{.variant = tau::b}, std::vector<float>{5, 5, 7, 7}, halves) == 1.0);
  CHECK(of(kendall_tau{.variant = tau::c}, std::vector<float>{5, 5, 7, 7}, halves) == 1.0);
  CHECK(of(kendall_tau{.variant = tau::b}, std::vector<float>{7, 7, 5, 5}, halves) == -1.0);
}

TEMPLATE_TEST_CASE("kendall_tau is that of the plain sums over pairs", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 150; ++round) {
    const std::size_t n = 1 + random() % 70;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(random() % 90));
    const auto y = support::whole_numbers<int>(random, n, 1 + static_cast<unsigned>(random() % 40));
    const auto real = support::numbers<double>(random, n);
    auto w = support::whole_numbers<double>(random, n, 4);
    for (std::size_t i = 0; i < n; ++i) w[i] *= 0.1 + static_cast<double>(i % 3);
    const std::vector<double> ones(n, 1.0);
    for (const tau variant : {tau::a, tau::b, tau::c}) {
      INFO("n " << n << ", variant " << static_cast<int>(variant));
      const kendall_tau metric{.variant = variant};
      CHECK(of(metric, s, y) == Approx(static_cast<double>(plain(variant, s, y, ones))).margin(1e-15));
      CHECK(of(metric, s, real) == Approx(static_cast<double>(plain(variant, s, real, ones))).margin(1e-15));
      CHECK(evaluate(metric, list_batch<TestType, int>{.scores = s, .relevance = y, .item_weights = w}) ==
            Approx(static_cast<double>(plain(variant, s, y, w))).margin(1e-14));
    }
  }
}

TEST_CASE("kendall_tau of long lists") {
  const std::size_t n = 100000;
  std::vector<double> s(n), y(n);
  for (std::size_t i = 0; i < n; ++i) s[i] = y[i] = static_cast<double>(i);
  CHECK(of(kendall_tau{}, s, y) == 1.0);
  std::reverse(y.begin(), y.end());
  CHECK(of(kendall_tau{}, s, y) == -1.0);
  std::reverse(y.begin(), y.end());
  for (std::size_t i = 0; i + 1 < n; i += 2) std::swap(s[i], s[i + 1]);  // n / 2 discordant pairs
  const double pairs = 0.5 * static_cast<double>(n) * static_cast<double>(n - 1);
  CHECK(of(kendall_tau{}, s, y) == (pairs - static_cast<double>(n)) / pairs);
}

TEST_CASE("kendall_tau at the edges") {
  CHECK(of(kendall_tau{}, std::vector<double>{}, std::vector<int>{}) == 0.0);
  CHECK(of(kendall_tau{}, std::vector<double>{1}, std::vector<int>{1}) == 0.0);
  const std::vector<int> y{0, 1, 2};
  for (const tau variant : {tau::a, tau::b, tau::c}) {
    CHECK(of(kendall_tau{.variant = variant}, std::vector<double>{4, 4, 4}, y) == 0.0);
    CHECK(of(kendall_tau{.variant = variant}, std::vector<double>{1, 2, 3}, std::vector<int>{1, 1, 1}) ==
          0.0);
    CHECK(of(kendall_tau{.variant = variant}, std::vector<double>{-infinity, 0, infinity}, y) ==
          Approx(1.0).epsilon(1e-15));
    for (const double unit : {1e-310, 1e-30, 1e307}) {
      const std::vector<double> s{3, 1, 2}, w{unit, 0, 2 * unit};
      CHECK(evaluate(kendall_tau{.variant = variant},
                     list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}) ==
            Approx(variant == tau::c ? -8.0 / 9.0 : -1.0).epsilon(1e-12));
    }
  }
  CHECK(of(kendall_tau{}, std::vector<double>{-0.0, 0.0, 1.0}, std::vector<double>{0.0, -0.0, 1.0}) == 1.0);

  const std::vector<double> s{1, 2, 2, 1}, weightless(4, 0.0);
  const std::vector<int> offsets{0, 2, 4}, grades{0, 1, 3, 3};
  list_batch<double, int> batch{.scores = s, .relevance = grades, .offsets = offsets};
  CHECK(evaluate(kendall_tau{}, batch) == 0.5);
  batch.reduction = rankloss::reduction::mean_of_relevant;
  CHECK(evaluate(kendall_tau{}, batch) == 1.0);
  batch.item_weights = weightless;
  CHECK(evaluate(kendall_tau{}, batch) == 0.0);
}

TEST_CASE("kendall_tau gives the same bits on any number of threads, and refuses a gradient") {
  std::mt19937_64 random(3);
  std::vector<std::size_t> offsets{0};
  while (offsets.size() <= 300) offsets.push_back(offsets.back() + random() % 90);
  const auto s = support::whole_numbers<float>(random, offsets.back(), 30);
  const auto y = support::whole_numbers<std::int64_t>(random, offsets.back(), 5);
  const list_batch<float, std::int64_t> batch{.scores = s, .relevance = y, .offsets = offsets};
  rankloss::context context{rankloss::threads(3)};
  CHECK(evaluate(kendall_tau{}, batch, {}, context) == evaluate(kendall_tau{}, batch));
  std::vector<float> out(s.size());
  CHECK_THROWS_WITH(evaluate(kendall_tau{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

}  // namespace

}  // namespace metrics_kendall_tau_test
