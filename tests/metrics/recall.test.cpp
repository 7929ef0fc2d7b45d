// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/recall.hpp>

#include <rankloss/threads.hpp>

#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace metrics_recall_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::first_rank;
using rankloss::metrics::hit;
using rankloss::metrics::recall;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("recall, hit and first_rank of Rax's examples") {
  const std::vector<double> s{0, 3, 1, 2};
  const std::vector<int> two{0, 0, 1, 1};
  CHECK(of(recall{.cutoff = 3}, s, two) == 1.0);
  CHECK(of(first_rank{}, s, two) == 1.0 / 0.5);  // reciprocal rank 0.5
  const std::vector<int> three{1, 0, 1, 1};
  CHECK(of(recall{.cutoff = 3}, s, three) == Approx(2.0 / 3.0));
  CHECK(of(recall{.cutoff = 1}, s, three) == 0.0);
  CHECK(of(recall{}, s, three) == 1.0);
  CHECK(of(hit{.cutoff = 1}, s, three) == 0.0);
  CHECK(of(hit{.cutoff = 2}, s, three) == 1.0);
  CHECK(of(hit{}, s, three) == 1.0);
}

TEST_CASE("recall of the rankit fixture") {
  std::vector<float> s(12);
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = -static_cast<float>(i);
  std::vector<int> y(12, 0);
  for (const std::size_t i : {0u, 2u, 5u, 8u}) y[i] = 1;
  CHECK(of(recall{.cutoff = 5}, s, y) == 0.5);
  CHECK(of(first_rank{}, s, y) == 1.0);
}

TEST_CASE("a constant model finds by chance") {
  const std::vector<double> s(10, 0.25);
  std::vector<int> y(10, 0);
  y[9] = 1;
  CHECK(of(hit{.cutoff = 1}, s, y) == Approx(0.1));
  CHECK(of(recall{.cutoff = 1}, s, y) == Approx(0.1));
  CHECK(of(first_rank{}, s, y) == Approx(5.5));
  y[3] = 1;
  CHECK(of(hit{.cutoff = 1}, s, y) == Approx(0.2));
  CHECK(of(recall{.cutoff = 1}, s, y) == Approx(0.1));
  CHECK(of(hit{.cutoff = 2}, s, y) == Approx(1.0 - 8.0 / 10.0 * 7.0 / 9.0));
  CHECK(of(first_rank{}, s, y) == Approx(11.0 / 3.0));
}

TEMPLATE_TEST_CASE("recall, hit and first_rank are means over all orders of equal scores", "", float,
                   double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 3);
    const auto w = support::whole_numbers<double>(random, n, 4);
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) total += y[i] > 0 ? w[i] : 0.0;
    const auto found = [&](std::size_t i) { return y[i] > 0 && w[i] > 0.0; };

    const double rank = support::mean_over_tied_orders(s, [&](const auto& order) {
      const auto first = std::find_if(order.begin(), order.end(), found);
      return first == order.end() ? 0.0 : static_cast<double>(first - order.begin() + 1);
    });
    CHECK(evaluate(first_rank{}, batch) == Approx(rank).epsilon(1e-13));
    for (std::size_t k = 0; k <= n + 1; ++k) {
      const auto first = [&](const auto& order) {
        return order.begin() + static_cast<std::ptrdiff_t>(k == 0 ? n : std::min(k, n));
      };
      const double fraction = support::mean_over_tied_orders(s, [&](const auto& order) {
        double sum = 0.0;
        for (auto item = order.begin(); item != first(order); ++item) sum += y[*item] > 0 ? w[*item] : 0.0;
        return total > 0.0 ? sum / total : 0.0;
      });
      const double any = support::mean_over_tied_orders(
          s, [&](const auto& order) { return std::any_of(order.begin(), first(order), found) ? 1.0 : 0.0; });
      CHECK(evaluate(recall{.cutoff = k}, batch) == Approx(fraction).epsilon(1e-13));
      CHECK(evaluate(hit{.cutoff = k}, batch) == Approx(any).epsilon(1e-13));
    }
  }
}

TEST_CASE("hit among very many equal scores") {
  // One rank after the other is drawn and does not match.
  const auto chance = [](std::size_t items, std::size_t matches, std::size_t k) {
    long double none = 1.0L;
    for (std::size_t i = 0; i < k && none > 0.0L; ++i)
      none *= items - i > matches
                  ? static_cast<long double>(items - matches - i) / static_cast<long double>(items - i)
                  : 0.0L;
    return static_cast<double>(1.0L - none);
  };
  const std::size_t n = 100000;
  const std::vector<float> s(n, 1.0f);
  for (const std::size_t matches : {1u, 3u, 50u, 2000u, 99990u})
    for (const std::size_t k : {1u, 10u, 700u, 99000u}) {
      std::vector<std::uint8_t> y(n, 0);
      std::fill_n(y.begin(), matches, std::uint8_t{1});
      CHECK(of(hit{.cutoff = k}, s, y) == Approx(chance(n, matches, k)).epsilon(1e-9));
      CHECK(of(recall{.cutoff = k}, s, y) == Approx(static_cast<double>(k) / n).epsilon(1e-13));
      CHECK(of(first_rank{}, s, y) ==
            Approx((n + 1.0) / (static_cast<double>(matches) + 1.0)).epsilon(1e-13));
    }
}

TEMPLATE_TEST_CASE("recall as a function of ranks", "", float, double) {
  support::check_rank_function<TestType>([](std::size_t k) { return recall{.cutoff = k}; }, 3);
  support::check_nothing_relevant(recall{});
  support::check_nothing_relevant(recall{.cutoff = 2});
}

TEST_CASE("recall of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 0, 1};
  const std::vector<double> w{1, 1, 3};
  std::vector<double> by_rank(3, 99.0);
  CHECK(support::of_ranks(recall{.cutoff = 2}, {2.5, 2.25, 1.75}, support::list_of(s, y, w), by_rank) ==
        (0.5 + 3.0) / 4.0);
  CHECK(by_rank == std::vector<double>{-1.5 / 4.0, 0.0, 0.0});
}

TEST_CASE("recall of weights of any size") {
  const std::vector<double> s{3, 2, 1};
  const std::vector<int> y{1, 1, 1};
  for (const double unit : {1e-310, 1e-30, 1e307}) {
    const std::vector<double> w{3 * unit, unit, 16 * unit};
    CHECK(evaluate(recall{.cutoff = 2},
                   list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}) ==
          Approx(0.2).epsilon(1e-12));
  }
}

TEST_CASE("lists without relevance count as 0, and a mean can leave them out") {
  const std::vector<double> s{1, 2, 3, 4};
  const std::vector<int> y{1, 0, 0, 0};
  const std::vector<int> offsets{0, 2, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  std::vector<double> per_list(3, -1.0);
  CHECK(evaluate(first_rank{}, batch, {.per_list = per_list}) == Approx(2.0 / 3.0));
  CHECK(per_list == std::vector<double>{2, 0, 0});
  CHECK(evaluate(recall{.cutoff = 2}, batch) == Approx(1.0 / 3.0));
  CHECK(evaluate(hit{.cutoff = 2}, batch) == Approx(1.0 / 3.0));
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(first_rank{}, batch) == 2.0);
  CHECK(evaluate(recall{.cutoff = 2}, batch) == 1.0);
  CHECK(evaluate(hit{.cutoff = 1}, batch) == 0.0);
  const std::vector<double> weights{0, 1, 1, 1};
  batch.item_weights = weights;
  CHECK(evaluate(first_rank{}, batch) == 0.0);
  CHECK(evaluate(recall{}, batch) == 0.0);
  CHECK(evaluate(hit{}, batch) == 0.0);
}

TEST_CASE("infinite scores rank first and last") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  const std::vector<int> y{1, 0, 1, 0};
  CHECK(of(first_rank{}, s, y) == 1.5);
  CHECK(of(hit{.cutoff = 1}, s, y) == 0.5);
  CHECK(of(recall{.cutoff = 1}, s, y) == 0.25);
  CHECK(of(recall{.cutoff = 3}, s, y) == 0.5);
  CHECK(of(first_rank{}, s, std::vector<int>{1, 0, 0, 0}) == 4.0);
}

TEST_CASE("recall, hit and first_rank give the same bits on any number of threads") {
  std::mt19937_64 random(2);
  std::vector<std::int64_t> offsets{0};
  while (offsets.size() <= 300) offsets.push_back(offsets.back() + static_cast<std::int64_t>(random() % 90));
  const auto s = support::whole_numbers<float>(random, static_cast<std::size_t>(offsets.back()), 30);
  const auto y = support::whole_numbers<int>(random, s.size(), 2);
  const list_batch<float, int> batch{
      .scores = s, .relevance = y, .offsets = offsets, .reduction = reduction::mean_of_relevant};
  for (const std::size_t workers : {2u, 7u}) {
    rankloss::context context{rankloss::threads(workers)};
    CHECK(evaluate(recall{.cutoff = 5}, batch, {}, context) == evaluate(recall{.cutoff = 5}, batch));
    CHECK(evaluate(hit{.cutoff = 5}, batch, {}, context) == evaluate(hit{.cutoff = 5}, batch));
    CHECK(evaluate(first_rank{}, batch, {}, context) == evaluate(first_rank{}, batch));
  }
}

TEST_CASE("recall, hit and first_rank refuse what they cannot do") {
  const std::vector<double> s{1, 2};
  const std::vector<int> y{1, 0};
  std::vector<double> out(2);
  const list_batch<double, int> batch{.scores = s, .relevance = y};
  const std::string message = "rankloss: gradient: a metric has none, expected an empty output";
  CHECK_THROWS_WITH(evaluate(recall{}, batch, {.gradient = out}), message);
  CHECK_THROWS_WITH(evaluate(hit{}, batch, {.gradient = out}), message);
  CHECK_THROWS_WITH(evaluate(first_rank{}, batch, {.gradient = out}), message);

  const std::vector<double> bad{std::numeric_limits<double>::quiet_NaN(), 1};
  CHECK_THROWS_WITH(of(recall{}, bad, y), "rankloss: scores: nan at list 0, item 0, expected a number");
  rankloss::context unchecked{rankloss::data_checks::off};
  const list_batch<double, int> unsound{.scores = bad, .relevance = y};
  CHECK_NOTHROW(evaluate(recall{.cutoff = 1}, unsound, {}, unchecked));
  CHECK_NOTHROW(evaluate(hit{.cutoff = 1}, unsound, {}, unchecked));
  CHECK_NOTHROW(evaluate(first_rank{}, unsound, {}, unchecked));
}

TEMPLATE_TEST_CASE("recall and hit of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return recall{.cutoff = k}; });
  support::check_missed<TestType>([](std::size_t k) { return hit{.cutoff = k}; });
}

}  // namespace

}  // namespace metrics_recall_test
