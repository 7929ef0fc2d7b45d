// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/reciprocal_rank.hpp>

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
#include <vector>

namespace metrics_reciprocal_rank_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::reciprocal_rank;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("reciprocal_rank of examples of Rax, TF-Ranking and rankit") {
  const std::vector<double> s{0, 3, 1, 2};
  CHECK(of(reciprocal_rank{}, s, std::vector<int>{0, 0, 1, 1}) == 0.5);
  CHECK(of(reciprocal_rank{}, s, std::vector<int>{1, 0, 1, 1}) == 0.5);
  CHECK(of(reciprocal_rank{.cutoff = 1}, s, std::vector<int>{1, 0, 1, 1}) == 0.0);
  CHECK(of(reciprocal_rank{}, std::vector<double>{1, 4, 3, 2}, std::vector<int>{2, 0, 0, 1}) ==
        Approx(1.0 / 3.0));

  const std::vector<float> three{3, 2, 1};
  for (const std::size_t first : {1u, 2u, 3u})
    for (const std::size_t k : {1u, 2u, 6u}) {
      std::vector<int> y(3, 0);
      y[first - 1] = 1;
      CHECK(of(reciprocal_rank{.cutoff = k}, three, y) ==
            (first <= k ? Approx(1.0 / static_cast<double>(first)) : Approx(0.0)));
    }

  std::vector<double> ranked(12);
  for (std::size_t i = 0; i < ranked.size(); ++i) ranked[i] = -static_cast<double>(i);
  std::vector<int> y(12, 0);
  for (const std::size_t i : {0u, 2u, 5u, 8u}) y[i] = 1;
  CHECK(of(reciprocal_rank{}, ranked, y) == 1.0);
}

TEST_CASE("reciprocal_rank finds the first relevant item, whatever its grade") {
  // allRank at c884756 looks for the item of the highest grade alone and gives 1/3.
  CHECK(of(reciprocal_rank{}, std::vector<double>{3, 2, 1}, std::vector<int>{0, 1, 2}) == 0.5);
}

TEMPLATE_TEST_CASE("reciprocal_rank is the mean over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<int>(random, n, 1 + static_cast<unsigned>(random() % 3));
    const auto w = support::whole_numbers<double>(random, n, 3);
    const list_batch<TestType, int> batch{.scores = s, .relevance = y, .item_weights = w};
    for (std::size_t k = 0; k <= n + 1; ++k) {
      const double expected = support::mean_over_tied_orders(s, [&](const auto& order) {
        for (std::size_t p = 0; p < (k == 0 ? n : std::min(k, n)); ++p)
          if (y[order[p]] > 0 && w[order[p]] > 0.0) return 1.0 / static_cast<double>(p + 1);
        return 0.0;
      });
      CHECK(evaluate(reciprocal_rank{.cutoff = k}, batch) == Approx(expected).epsilon(1e-13));
    }
  }
}

TEST_CASE("reciprocal_rank of a constant model on a long list") {
  const std::size_t n = 20000;
  const std::vector<float> s(n, 1.0f);
  for (const std::size_t matches : {1u, 2u, 300u, 19999u, 20000u})
    for (const std::size_t k : {0u, 1u, 10u, 15000u}) {
      std::vector<std::uint8_t> y(n, 0);
      std::fill_n(y.begin(), matches, std::uint8_t{1});
      long double expected = 0.0L;
      long double none = 1.0L;  // probability that the positions before p hold no match
      for (std::size_t p = 1; p <= (k == 0 ? n : k) && none > 0.0L; ++p) {
        const long double match = static_cast<long double>(matches) / static_cast<long double>(n - p + 1);
        expected += none * std::min(match, 1.0L) / static_cast<long double>(p);
        none *= std::max(1.0L - match, 0.0L);
      }
      CHECK(of(reciprocal_rank{.cutoff = k}, s, y) == Approx(static_cast<double>(expected)).epsilon(1e-11));
    }
}

TEMPLATE_TEST_CASE("reciprocal_rank as a function of ranks", "", float, double) {
  support::check_rank_function<TestType>([](std::size_t k) { return reciprocal_rank{.cutoff = k}; }, 3);
  support::check_nothing_relevant(reciprocal_rank{.cutoff = 2});
}

TEST_CASE("reciprocal_rank of ranks by hand") {
  const std::vector<double> s{0, 0, 0, 0};
  const std::vector<int> y{0, 2, 1, 1};
  const auto items = support::list_of(s, y);
  std::vector<double> by_rank(4, 99.0);
  CHECK(support::of_ranks(reciprocal_rank{}, {1.0, 3.5, 1.25, 2.0}, items, by_rank) == 0.8);
  CHECK(by_rank == std::vector<double>{0.0, 0.0, -0.64, 0.0});
  CHECK(support::of_ranks(reciprocal_rank{}, {1.0, 2.0, 2.0, 2.0}, items, by_rank) == 0.5);
  CHECK(by_rank == std::vector<double>{0.0, -0.25 / 3.0, -0.25 / 3.0, -0.25 / 3.0});
  CHECK(support::of_ranks(reciprocal_rank{.cutoff = 2}, {1.0, 2.5, 9.0, 9.0}, items, by_rank) ==
        Approx(0.5 / 2.5));
  CHECK(by_rank[1] == Approx(-1.5 / 2.5 - 0.5 / 6.25));
}

TEST_CASE("reciprocal_rank at the edges") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  CHECK(of(reciprocal_rank{}, s, std::vector<int>{1, 0, 1, 0}) == 0.75);
  CHECK(of(reciprocal_rank{}, s, std::vector<int>{1, 0, 0, 0}) == 0.25);
  CHECK(of(reciprocal_rank{}, std::vector<float>{}, std::vector<int>{}) == 0.0);

  const std::vector<int> y{1, 0, 0, 0};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(reciprocal_rank{}, batch) == 0.25);
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(reciprocal_rank{}, batch) == 0.5);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(reciprocal_rank{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
  const std::vector<double> bad{std::numeric_limits<double>::quiet_NaN(), 1};
  const std::vector<int> two{1, 1};
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_NOTHROW(
      evaluate(reciprocal_rank{}, list_batch<double, int>{.scores = bad, .relevance = two}, {}, unchecked));
}

TEMPLATE_TEST_CASE("reciprocal_rank of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return reciprocal_rank{.cutoff = k}; });
}

}  // namespace

}  // namespace metrics_reciprocal_rank_test
