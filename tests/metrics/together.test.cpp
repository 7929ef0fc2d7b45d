// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/together.hpp>

#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/bpref.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/kendall_tau.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/r_precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/threads.hpp>

#include "support/allocations.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

namespace metrics_together_test {

namespace {

using namespace rankloss::metrics;
using rankloss::array_view;
using rankloss::context;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;

/// Lists of 0 to 160 items, some without relevance, with ties.
template <class T>
struct lists_of {
  explicit lists_of(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (offsets.size() <= 60) {
      const std::size_t n = random() % 161;
      const auto s = support::whole_numbers<T>(random, n, offsets.size() % 3 == 0 ? 6 : 1u << 20);
      const auto y = support::whole_numbers<T>(random, n, offsets.size() % 5 == 0 ? 1 : 5);
      scores.insert(scores.end(), s.begin(), s.end());
      relevance.insert(relevance.end(), y.begin(), y.end());
      offsets.push_back(scores.size());
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      weights.push_back(static_cast<double>(random() % 4) / 3.0);
      mask.push_back(random() % 5 > 0 ? 1 : 0);
    }
    for (std::size_t l = 0; l + 1 < offsets.size(); ++l)
      list_weights.push_back(static_cast<double>(random() % 3));
  }
  std::vector<T> scores, relevance;
  std::vector<std::size_t> offsets{0};
  std::vector<double> weights, list_weights;
  std::vector<std::uint8_t> mask;
};

/// Values and values of lists are, to the bit, those of each metric alone.
template <class T, class R, class... Metrics>
void check_alone(const together<Metrics...>& all, const list_batch<T, R>& batch, std::size_t lists,
                 context& ctx) {
  std::array<std::vector<double>, sizeof...(Metrics)> per_list;
  std::array<array_view<double>, sizeof...(Metrics)> views;
  for (std::size_t m = 0; m < per_list.size(); ++m) {
    per_list[m].assign(lists, -7.0);
    views[m] = per_list[m];
  }
  const auto values = evaluate(all, batch, views, ctx);
  CHECK(evaluate(all, batch, ctx) == values);
  CHECK(evaluate(all, batch) == values);
  std::size_t m = 0;
  std::apply(
      [&](const Metrics&... metric) {
        const auto check = [&](const auto& alone) {
          std::vector<double> expected(lists, -7.0);
          CHECK(evaluate(alone, batch, {.per_list = expected}) == values[m]);
          CHECK(per_list[m] == expected);
          ++m;
        };
        (check(metric), ...);
      },
      all.all);
}

const together most_metrics{ndcg{.cutoff = 5},
                            ndcg{},
                            dcg{.gain = rankloss::gain::linear, .cutoff = 12},
                            average_precision{.cutoff = 20},
                            reciprocal_rank{},
                            expected_reciprocal_rank{.cutoff = 3},
                            rank_biased_precision{},
                            precision{.cutoff = 7},
                            recall{.cutoff = 10},
                            hit{.cutoff = 1},
                            r_precision{},
                            average_relevance_position{},
                            bpref{}};
const together few_positions{recall{.cutoff = 3}, ndcg{.cutoff = 10}, r_precision{}};

TEMPLATE_TEST_CASE("together: each value is that of the metric alone", "", float, double) {
  const lists_of<TestType> lists(1);
  context ctx;
  for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum})
    for (const bool weighted : {false, true})
      for (const bool masked : {false, true}) {
        list_batch<TestType> batch{
            .scores = lists.scores, .relevance = lists.relevance, .offsets = lists.offsets, .reduction = how};
        if (weighted) {
          batch.item_weights = lists.weights;
          batch.list_weights = lists.list_weights;
        }
        if (masked) batch.mask = lists.mask;
        check_alone(most_metrics, batch, 60, ctx);
        check_alone(few_positions, batch, 60, ctx);
        check_alone(together{kendall_tau{}, ndcg{.cutoff = 2}}, batch, 60, ctx);
      }
}

TEST_CASE("together: missed items count, where all metrics count them") {
  const lists_of<double> lists(2);
  context ctx;
  list_batch<double> batch{
      .scores = lists.scores, .relevance = lists.relevance, .offsets = lists.offsets, .missed = lists.mask};
  check_alone(few_positions, batch, 60, ctx);
  CHECK_THROWS_WITH(
      evaluate(together{ndcg{}, first_rank{}}, batch, ctx),
      "rankloss: missed: given, expected none: a metric without a value for items that have no rank");
}

TEST_CASE("together: the same bits on any number of threads, and nothing is allocated") {
  const lists_of<float> lists(3);
  const list_batch<float> batch{
      .scores = lists.scores, .relevance = lists.relevance, .offsets = lists.offsets};
  context ctx;
  const auto alone = evaluate(most_metrics, batch, ctx);
  for (const std::size_t workers : {2u, 5u}) {
    context threaded{rankloss::threads(workers)};
    CHECK(evaluate(most_metrics, batch, threaded) == alone);
  }
  const std::size_t before = support::allocations();
  evaluate(most_metrics, batch, ctx);
  CHECK(support::allocations() == before);
}

TEST_CASE("together: what does not fit is named, and nothing is written") {
  const std::vector<double> s{1, 2}, y{1, 0}, below{1, -1};
  const std::vector<double> bad{1, std::numeric_limits<double>::quiet_NaN()};
  std::vector<double> one(1, 5.0), two(2, 5.0);
  context ctx;
  const together all{recall{.cutoff = 1}, ndcg{}};
  const list_batch<double> batch{.scores = s, .relevance = y};
  CHECK_THROWS_WITH(evaluate(all, list_batch<double>{.scores = bad, .relevance = y}, ctx),
                    "rankloss: scores: nan at list 0, item 1, expected a number");
  CHECK_THROWS_AS(evaluate(all, list_batch<double>{.scores = s, .relevance = below}, ctx),
                  std::invalid_argument);
  CHECK_THROWS_AS(evaluate(all, batch, {array_view<double>(one), array_view<double>(two)}, ctx),
                  std::invalid_argument);
  CHECK_THROWS_AS(evaluate(together{recall{}, ndcg{.gain = rankloss::gain::table}}, batch, ctx),
                  std::invalid_argument);
  CHECK(one == std::vector<double>{5.0});
  CHECK(two == std::vector<double>{5.0, 5.0});
  CHECK(evaluate(all, list_batch<double>{}, ctx) == std::array<double, 2>{0.0, 0.0});
}

}  // namespace

}  // namespace metrics_together_test
