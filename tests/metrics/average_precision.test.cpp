// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>

#include <rankloss/threads.hpp>

#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace metrics_average_precision_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::average_precision;
using rankloss::metrics::average_precision_over;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("average_precision of Rax's examples") {
  const std::vector<double> s{0, 3, 1, 2};
  CHECK(of(average_precision{}, s, std::vector<int>{0, 0, 1, 1}) ==
        Approx((0.5 + 2.0 / 3.0) / 2.0).epsilon(1e-14));
  CHECK(of(average_precision{}, std::vector<double>{1, 4, 3, 2}, std::vector<int>{2, 0, 0, 1}) ==
        Approx((1.0 / 3.0 + 0.5) / 2.0).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 3}, s, std::vector<int>{1, 0, 1, 1}) ==
        Approx((0.5 + 2.0 / 3.0) / 3.0).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 1}, s, std::vector<int>{1, 0, 1, 1}) == 0.0);
}

TEST_CASE("average_precision of TF-Ranking's examples") {
  CHECK(of(average_precision{}, std::vector<float>{3, 4, 1, 2}, std::vector<int>{0, 2, 1, 3}) ==
        Approx((1.0 + 2.0 / 3.0 + 0.75) / 3.0).epsilon(1e-14));
  const std::vector<float> s{3, 2, 1};
  const std::vector<int> y{1, 0, 2};
  CHECK(of(average_precision{.cutoff = 1}, s, y) == 0.5);
  CHECK(of(average_precision{.cutoff = 2}, s, y) == 0.5);
  CHECK(of(average_precision{.cutoff = 6}, s, y) == Approx((1.0 + 2.0 / 3.0) / 2.0).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 1, .over = average_precision_over::attainable}, s, y) == 1.0);
}

TEST_CASE("average_precision of XGBoost's examples") {
  const std::vector<float> grouped{0.1f, 0.9f, 0.2f, 0.8f, 0.4f, 1.7f};
  const std::vector<int> labels{1, 1, 1, 0, 1, 0};
  const std::vector<int> offsets{0, 2, 5, 6};
  const list_batch<float, int> batch{.scores = grouped, .relevance = labels, .offsets = offsets};
  std::vector<double> per_list(3);
  evaluate(average_precision{}, batch, {.per_list = per_list});
  CHECK(per_list[0] == 1.0);
  CHECK(per_list[1] == Approx(7.0 / 12.0).epsilon(1e-14));
  CHECK(per_list[2] == 0.0);  // XGBoost's `map` counts a list without relevance as 1, its `map-` as 0
  CHECK((per_list[0] + per_list[1] + 1.0) / 3.0 == Approx(0.8611).margin(5e-5));

  // XGBoost takes equal scores in the order of the items; here they take every order equally often.
  const std::vector<int> y{0, 0, 1, 1};
  const std::vector<double> in_order{2, 4, 1, 3};
  CHECK(of(average_precision{}, in_order, y) == Approx(0.5).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 2}, in_order, y) == Approx(0.25).epsilon(1e-14));
  const std::vector<float> tied{0.1f, 0.9f, 0.1f, 0.9f};
  const double first = (1.0 + 0.5) / 2.0;
  const double second = (2.0 / 3.0 + 2.0 / 4.0) / 2.0;
  CHECK(of(average_precision{}, tied, y) == Approx((first + second) / 2.0).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 2}, tied, y) == Approx(first / 2.0).epsilon(1e-14));
}

TEST_CASE("average_precision of the rankit fixture") {
  std::vector<double> s(12);
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = -static_cast<double>(i);
  std::vector<int> y(12, 0);
  for (const std::size_t i : {0u, 2u, 5u, 8u}) y[i] = 1;
  CHECK(of(average_precision{}, s, y) == Approx(0.6527777777777777).epsilon(1e-14));
}

/// AP@k of one order.
template <class R>
double plain(const std::vector<std::size_t>& order, const std::vector<R>& y, const std::vector<double>& w,
             std::size_t k, bool attainable) {
  std::vector<double> weights;
  double sum = 0.0;
  for (std::size_t p = 0; p < order.size(); ++p) {
    const std::size_t i = order[p];
    if (!(y[i] > 0 && w[i] > 0.0)) continue;
    weights.push_back(w[i]);
    if (p < k) sum += w[i] * static_cast<double>(weights.size()) / static_cast<double>(p + 1);
  }
  std::sort(weights.begin(), weights.end(), std::greater<>{});
  double total = 0.0;
  for (std::size_t r = 0; r < weights.size(); ++r) total += !attainable || r < k ? weights[r] : 0.0;
  return total > 0.0 ? sum / total : 0.0;
}

TEMPLATE_TEST_CASE("average_precision is the mean over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 4);
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    for (std::size_t k = 0; k <= n + 1; ++k)
      for (const auto over : {average_precision_over::relevant, average_precision_over::attainable}) {
        const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
          return plain(order, y, w, k == 0 ? n : k, over == average_precision_over::attainable);
        });
        CHECK(evaluate(average_precision{.cutoff = k, .over = over}, batch) ==
              Approx(expected).epsilon(1e-13));
      }
  }
}

TEST_CASE("average_precision of a best order is 1 over what is attainable") {
  const std::vector<double> s{5, 4, 3, 2, 1};
  const std::vector<int> y{1, 1, 1, 1, 0};
  CHECK(of(average_precision{.cutoff = 3, .over = average_precision_over::attainable}, s, y) ==
        Approx(1.0).epsilon(1e-14));
  CHECK(of(average_precision{.cutoff = 3}, s, y) == Approx(0.75).epsilon(1e-14));
  const std::vector<double> w{4, 3, 2, 1, 9};
  const list_batch<double, int> batch{.scores = s, .relevance = y, .item_weights = w};
  CHECK(evaluate(average_precision{.cutoff = 3, .over = average_precision_over::attainable}, batch) ==
        Approx(1.0).epsilon(1e-14));
  CHECK(evaluate(average_precision{.cutoff = 3}, batch) == Approx(0.9).epsilon(1e-14));
}

TEST_CASE("average_precision of a constant model on a long list") {
  const std::size_t n = 5000;
  const std::vector<float> s(n, 2.0f);
  for (const std::size_t matches : {1u, 2u, 70u, 4999u, 5000u}) {
    std::vector<std::uint8_t> y(n, 0);
    std::fill_n(y.begin(), matches, std::uint8_t{1});
    long double expected = 0.0L;
    for (std::size_t p = 1; p <= n; ++p)
      expected +=
          (1.0L + static_cast<long double>((p - 1) * (matches - 1)) / static_cast<long double>(n - 1)) /
          static_cast<long double>(p);
    CHECK(of(average_precision{}, s, y) ==
          Approx(static_cast<double>(expected / static_cast<long double>(n))).epsilon(1e-12));
  }
}

/// Takes both kinds of ranks; those among the relevant move along where `among` is not given.
double at(const average_precision& metric, const std::vector<double>& ranks, const std::vector<double>& among,
          const rankloss::list<double, int>& items, std::span<double> by_rank = {},
          std::span<double> by_relevant_rank = {}) {
  rankloss::workspace scratch;
  return metric.of_ranks(std::span<const double>(ranks), std::span<const double>(among), items, by_rank,
                         by_relevant_rank, scratch);
}

TEST_CASE("average_precision as a function of ranks") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 9;
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 4);
    const auto whole = support::shuffled_ranks(random, n);
    const auto real = support::real_ranks(random, n);
    std::vector<double> s(n);
    for (std::size_t i = 0; i < n; ++i) s[i] = -whole[i];
    const auto items = support::list_of(s, y, w);
    const auto among = support::ranks_among_relevant(whole, y, w);
    auto moved = among;
    for (double& r : moved) r += 0.3 * static_cast<double>(random() % 3);
    for (std::size_t k = 0; k <= n + 1; ++k)
      for (const auto over : {average_precision_over::relevant, average_precision_over::attainable}) {
        const average_precision metric{.cutoff = k, .over = over};
        CHECK(
            at(metric, whole, among, items) ==
            Approx(evaluate(metric, list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}))
                .epsilon(1e-14));

        std::vector<double> by_rank(n, 99.0);
        std::vector<double> by_relevant_rank(n, 99.0);
        CHECK(at(metric, real, moved, items, by_rank, by_relevant_rank) ==
              Approx(at(metric, real, moved, items)).epsilon(1e-13));
        support::check_slopes([&](const auto& ranks) { return at(metric, ranks, moved, items); }, real,
                              by_rank);
        support::check_slopes([&](const auto& ranks) { return at(metric, real, ranks, items); }, moved,
                              by_relevant_rank);
      }
  }
}

TEST_CASE("average_precision of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 0, 1};
  const auto items = support::list_of(s, y);
  std::vector<double> by_rank(3);
  std::vector<double> by_relevant_rank(3);
  CHECK(at({}, {1.5, 2.0, 2.5}, {1.25, -9.0, 1.75}, items, by_rank, by_relevant_rank) ==
        Approx((1.25 / 1.5 + 1.75 / 2.5) / 2.0).epsilon(1e-14));
  CHECK(by_rank[0] == Approx(-1.25 / 2.25 / 2.0).epsilon(1e-14));
  CHECK(by_rank[1] == 0.0);
  CHECK(by_relevant_rank[2] == Approx(1.0 / 2.5 / 2.0).epsilon(1e-14));
  CHECK(by_relevant_rank[1] == 0.0);

  const std::vector<int> none{0, 0, 0};
  CHECK(at({}, {1, 2, 3}, {1, 1, 1}, support::list_of(s, none), by_rank, by_relevant_rank) == 0.0);
  CHECK(by_rank == std::vector<double>(3, 0.0));
  CHECK(by_relevant_rank == std::vector<double>(3, 0.0));
}

TEST_CASE("average_precision of lists without relevance is 0, and a mean can leave them out") {
  const std::vector<float> s{3, 2, 1, 2, 1};
  const std::vector<int> y{0, 1, 0, 0, 0};
  const std::vector<int> offsets{0, 3, 3, 5};
  list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  std::vector<double> per_list(3, -1.0);
  CHECK(evaluate(average_precision{}, batch, {.per_list = per_list}) == Approx(0.5 / 3));
  CHECK(per_list == std::vector<double>{0.5, 0.0, 0.0});
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(average_precision{}, batch) == 0.5);
  const std::vector<double> unseen{1, 0, 1, 1, 1};
  batch.item_weights = unseen;
  CHECK(evaluate(average_precision{}, batch) == 0.0);
}

TEST_CASE("average_precision of infinite scores and of weights of any size") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  const std::vector<int> y{1, 0, 1, 0};
  CHECK(of(average_precision{}, s, y) == Approx((0.75 + 0.5) / 2.0).epsilon(1e-14));
  for (const double unit : {1e-310, 1e-30, 1e307}) {
    const std::vector<double> w{3 * unit, unit, 6 * unit, unit};
    CHECK(evaluate(average_precision{},
                   list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}) ==
          Approx((6 * 0.75 + 3 * 0.5) / 9.0).epsilon(1e-12));
  }
}

TEST_CASE("average_precision gives the same bits on any number of threads, and refuses a gradient") {
  std::mt19937_64 random(3);
  std::vector<std::size_t> offsets{0};
  while (offsets.size() <= 300) offsets.push_back(offsets.back() + random() % 90);
  const auto s = support::whole_numbers<float>(random, offsets.back(), 30);
  const auto y = support::whole_numbers<int>(random, offsets.back(), 2);
  const list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  rankloss::context context{rankloss::threads(5)};
  CHECK(evaluate(average_precision{.cutoff = 10}, batch, {}, context) ==
        evaluate(average_precision{.cutoff = 10}, batch));
  std::vector<float> out(s.size());
  CHECK_THROWS_WITH(evaluate(average_precision{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEMPLATE_TEST_CASE("average_precision of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return average_precision{.cutoff = k}; });
  support::check_missed<TestType>([](std::size_t k) {
    return average_precision{.cutoff = k, .over = average_precision_over::attainable};
  });
}

}  // namespace

}  // namespace metrics_average_precision_test
