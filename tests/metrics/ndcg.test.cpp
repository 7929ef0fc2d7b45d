// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>

#include "support/below_zero.hpp"
#include "support/missed_checks.hpp"
#include "support/one_list.hpp"
#include "support/peer_retrieval.hpp"
#include "support/rank_functions.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace metrics_ndcg_test {

namespace {

using rankloss::evaluate;
using rankloss::gain;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::metrics::dcg;
using rankloss::metrics::ndcg;
using support::of;

constexpr double infinity = std::numeric_limits<double>::infinity();

double discount(double rank) { return 1.0 / std::log2(1.0 + rank); }

TEST_CASE("dcg and ndcg of Rax's examples") {
  const std::vector<double> s{0, 3, 1, 2};
  const std::vector<int> y{0, 0, 1, 1};
  CHECK(of(dcg{}, s, y) == Approx(discount(2) + discount(3)).epsilon(1e-14));
  CHECK(of(ndcg{}, s, y) == Approx((discount(2) + discount(3)) / (1 + discount(2))).epsilon(1e-14));
  CHECK(of(ndcg{}, std::vector<double>{1, 4, 3, 2}, std::vector<int>{2, 0, 0, 1}) ==
        Approx((discount(3) + 3 * discount(4)) / (3 + discount(2))).epsilon(1e-14));

  const std::vector<double> w{1, 2, 1, 2};
  const list_batch<double, int> weighted{.scores = s, .relevance = y, .item_weights = w};
  CHECK(evaluate(dcg{}, weighted) == Approx(2 * discount(2) + discount(3)).epsilon(1e-14));
  CHECK(evaluate(ndcg{}, weighted) ==
        Approx((2 * discount(2) + discount(3)) / (2 + discount(2))).epsilon(1e-14));
}

TEST_CASE("ndcg of the rankit fixture") {
  std::vector<double> s(12);
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = -static_cast<double>(i);
  const std::vector<int> graded{3, 0, 2, 0, 0, 1, 0, 0, 2, 0, 1, 0};
  std::vector<int> binary(12, 0);
  for (const std::size_t i : {0u, 2u, 5u, 8u}) binary[i] = 1;
  CHECK(of(ndcg{.cutoff = 5}, s, binary) == Approx(0.5855700749881525).epsilon(1e-14));
  CHECK(of(ndcg{.cutoff = 10}, s, binary) == Approx(0.8421423592553552).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear, .cutoff = 5}, s, graded) == Approx(0.6579608713840076).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear, .cutoff = 10}, s, graded) == Approx(0.8155864483196162).epsilon(1e-14));
}

TEST_CASE("ndcg of torchrec's example") {
  const std::vector<float> s{0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
  const std::vector<int> y{0, 1, 0, 0, 2};
  CHECK(of(ndcg{.gain = gain::linear}, s, y) == Approx((2 + discount(4)) / (2 + discount(2))).epsilon(1e-14));
  CHECK(of(ndcg{}, s, y) == Approx((3 + discount(4)) / (3 + discount(2))).epsilon(1e-14));
  CHECK(2 * (1 - of(ndcg{.gain = gain::linear}, s, y)) == Approx(0.1522).margin(5e-5));
  CHECK(2 * (1 - of(ndcg{}, s, y)) == Approx(0.1103).margin(5e-5));
}

TEST_CASE("ndcg shares ranks among equal scores") {
  const std::vector<double> y{10, 0, 0, 1, 5};
  const double best = 10 * discount(1) + 5 * discount(2) + discount(3);
  const double all = discount(1) + discount(2) + discount(3) + discount(4) + discount(5);

  const std::vector<double> same(5, 1.0);
  CHECK(of(dcg{.gain = gain::linear}, same, y) == Approx(16.0 / 5.0 * all).epsilon(1e-14));
  CHECK(of(dcg{.gain = gain::linear}, same, y) == Approx(9.435069).epsilon(1e-6));
  CHECK(of(ndcg{.gain = gain::linear}, same, y) == Approx(16.0 / 5.0 * all / best).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear}, same, y) == Approx(0.690979).epsilon(1e-6));

  const std::vector<double> two{1, 1, 1, 0.5, 0.5};
  const double first = 10.0 / 3.0 * (discount(1) + discount(2) + discount(3));
  const double second = 6.0 / 2.0 * (discount(4) + discount(5));
  CHECK(of(ndcg{.gain = gain::linear}, two, y) == Approx((first + second) / best).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear}, two, y) == Approx(0.699812).epsilon(1e-6));

  const std::vector<double> none{0.1, 0.2, 0.3, 4, 70};
  CHECK(of(ndcg{.gain = gain::linear}, none, y) ==
        Approx((5 * discount(1) + discount(2) + 10 * discount(5)) / best).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear}, none, y) == Approx(0.695694).epsilon(1e-6));
  CHECK(of(ndcg{.gain = gain::linear, .cutoff = 3}, none, y) ==
        Approx((5 * discount(1) + discount(2)) / best).epsilon(1e-14));
  CHECK(of(ndcg{.gain = gain::linear, .cutoff = 3}, none, y) == Approx(0.4124).margin(5e-5));
}

/// DCG of one order.
double plain_dcg(const std::vector<std::size_t>& order, const std::vector<double>& gains, std::size_t k) {
  double sum = 0.0;
  for (std::size_t p = 0; p < std::min(k, order.size()); ++p)
    sum += gains[order[p]] * discount(static_cast<double>(p + 1));
  return sum;
}

TEMPLATE_TEST_CASE("ndcg is the mean over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    const std::size_t n = 1 + random() % 7;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(round) % 4);
    const auto y = support::whole_numbers<TestType>(random, n, 4);
    const auto w = support::whole_numbers<double>(random, n, 3);
    const std::vector<double> table{0.0, 0.5, 4.0};  // grade 3 is beyond it: worth 0
    const auto worth = [&](gain kind, std::size_t i) {
      const auto grade = static_cast<double>(y[i]);
      if (kind == gain::linear) return grade;
      if (kind == gain::exponential) return std::pow(2.0, grade) - 1.0;
      return grade < 3 ? table[static_cast<std::size_t>(grade)] : 0.0;
    };
    for (const gain kind : {gain::exponential, gain::linear, gain::table}) {
      std::vector<double> gains(n);
      for (std::size_t i = 0; i < n; ++i) gains[i] = w[i] * worth(kind, i);
      auto sorted = gains;
      std::sort(sorted.begin(), sorted.end(), std::greater<>{});
      std::vector<std::size_t> in_order(n);
      for (std::size_t i = 0; i < n; ++i) in_order[i] = i;
      for (std::size_t k = 0; k <= n + 1; ++k) {
        const std::size_t count = k == 0 ? n : k;
        const double expected = support::mean_over_tied_orders(
            s, [&](const auto& order) { return plain_dcg(order, gains, count); });
        const double best = plain_dcg(in_order, sorted, count);
        const std::vector<double> grades = kind == gain::table ? table : std::vector<double>{};
        const list_batch<TestType> batch{.scores = s, .relevance = y, .item_weights = w};
        CHECK(evaluate(dcg{.gain = kind, .gain_table = grades, .cutoff = k}, batch) ==
              Approx(expected).epsilon(1e-13));
        CHECK(evaluate(ndcg{.gain = kind, .gain_table = grades, .cutoff = k}, batch) ==
              Approx(best > 0.0 ? expected / best : 0.0).epsilon(1e-13));
      }
    }
  }
}

TEST_CASE("ndcg refuses gains below 0, and a mask takes them out") {
  for (const gain kind : {gain::exponential, gain::linear}) {
    support::refuses_below_0(ndcg{.gain = kind});
    support::refuses_below_0(ndcg{.gain = kind, .cutoff = 2, .ideal = rankloss::ideal::competition_ranks});
    support::refuses_below_0(dcg{.gain = kind, .cutoff = 2});
  }
  // The gain of a table is never below 0, and 0 for what it has no entry for.
  const std::vector<double> table{0, 1, 3};
  CHECK(support::said_of_below_0(ndcg{.gain = gain::table, .gain_table = table}).empty());
  CHECK(of(ndcg{.gain = gain::table, .gain_table = table}, std::vector<double>{3, 2, 1},
           std::vector<double>{-1, 0, 2}) == Approx(0.5).epsilon(1e-14));

  const std::vector<double> s{0.9, 0.5, 1, 1}, y{1, 0, -1, -1};
  const std::vector<std::uint8_t> judged{1, 1, 0, 0};
  CHECK(evaluate(ndcg{}, list_batch<double>{.scores = s, .relevance = y, .mask = judged}) == 1.0);
}

TEST_CASE("ndcg of lists without relevance is 0, and a mean can leave them out") {
  const std::vector<float> s{3, 2, 1, 2, 1};
  const std::vector<int> y{0, 1, 0, 0, 0};
  const std::vector<int> offsets{0, 3, 3, 5};
  list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  std::vector<double> per_list(3, -1.0);
  CHECK(evaluate(ndcg{}, batch, {.per_list = per_list}) == Approx(discount(2) / 3).epsilon(1e-14));
  CHECK(per_list == std::vector<double>{discount(2), 0.0, 0.0});
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(ndcg{}, batch) == Approx(discount(2)).epsilon(1e-14));
  CHECK(evaluate(dcg{}, batch) == Approx(discount(2)).epsilon(1e-14));
  batch.reduction = reduction::sum;
  CHECK(evaluate(ndcg{}, batch) == Approx(discount(2)).epsilon(1e-14));

  // An item of weight 0 or of a grade worth 0 is nothing to find.
  batch.reduction = reduction::mean_of_relevant;
  const std::vector<double> unseen{1, 0, 1, 1, 1};
  batch.item_weights = unseen;
  CHECK(evaluate(ndcg{}, batch) == 0.0);
  batch.item_weights = {};
  const std::vector<double> table{0.0, 0.0};
  CHECK(evaluate(ndcg{.gain = gain::table, .gain_table = table}, batch) == 0.0);
  CHECK(evaluate(ndcg{}, list_batch<float, int>{}) == 0.0);
}

TEST_CASE("ndcg is what sndcg tends to") {
  std::mt19937_64 random(2);
  for (const std::size_t n : {2u, 7u, 40u}) {
    const auto s = support::numbers<double>(random, n);
    auto y = support::whole_numbers<int>(random, n, 4);
    y[0] = 1;
    const list_batch<double, int> batch{.scores = s, .relevance = y};
    for (const std::size_t k : {0u, 1u, 5u})
      for (const auto ideal : {rankloss::ideal::sorted, rankloss::ideal::competition_ranks})
        CHECK(1.0 - evaluate(rankloss::sndcg{.temperature = 1e-7, .cutoff = k, .ideal = ideal}, batch) ==
              Approx(evaluate(ndcg{.cutoff = k, .ideal = ideal}, batch)).epsilon(1e-12));
  }
}

TEST_CASE("ndcg by competition ranks lets equal gains share the best rank") {
  const std::vector<double> s{4, 3, 2, 1};
  const std::vector<int> y{2, 1, 1, 0};
  const double value = 3 * discount(1) + discount(2) + discount(3);
  CHECK(of(ndcg{.ideal = rankloss::ideal::competition_ranks}, s, y) ==
        Approx(value / (3 + 2 * discount(2))).epsilon(1e-14));
  CHECK(of(ndcg{.cutoff = 2, .ideal = rankloss::ideal::competition_ranks}, s, y) ==
        Approx((3 * discount(1) + discount(2)) / (3 + 2 * discount(2))).epsilon(1e-14));
  CHECK(of(ndcg{}, s, y) == Approx(1.0).epsilon(1e-14));
}

TEST_CASE("ndcg of both directions of a matrix agrees with Listwise_ITR") {
  const auto relevance = peers::relevance();
  const auto s = peers::similarity();
  const rankloss::similarity_batch<double> batch{
      .similarity = s, .rows = peers::pairs, .columns = peers::pairs, .relevance = relevance};
  const rankloss::bidirectional<ndcg> metric{ndcg{.ideal = rankloss::ideal::competition_ranks},
                                             rankloss::column_relevance::of_rows};
  std::vector<double> per_list(2 * peers::pairs);
  const double value = evaluate(metric, batch, {.per_list = per_list});
  double rows = 0.0;
  double columns = 0.0;
  for (std::size_t i = 0; i < peers::pairs; ++i) {
    rows += per_list[i] / static_cast<double>(peers::pairs);
    columns += per_list[peers::pairs + i] / static_cast<double>(peers::pairs);
  }
  CHECK(rows == Approx(peers::ndcg_of_rows).epsilon(1e-6));
  CHECK(columns == Approx(peers::ndcg_of_columns).epsilon(1e-6));
  CHECK(value == Approx(0.5 * (rows + columns)).epsilon(1e-14));
}

TEST_CASE("ndcg of gains and weights of any size") {
  const std::vector<double> s{3, 2, 1};
  CHECK(of(ndcg{}, s, std::vector<double>{2000, 2001, 1999}) ==
        Approx((0.5 + discount(2) + 0.25 * discount(3)) / (1 + 0.5 * discount(2) + 0.25 * discount(3)))
            .epsilon(1e-14));
  CHECK(of(ndcg{}, s, std::vector<double>{1e-12, 2e-12, 0}) ==
        Approx((1 + 2 * discount(2)) / (2 + discount(2))).epsilon(1e-10));
  // The smallest of all numbers: no digit of a gain is lost on the way.
  for (const double unit : {std::numeric_limits<double>::denorm_min(), 1e-310, 1e-30, 0.3, 1e300})
    CHECK(of(ndcg{.gain = gain::linear}, s, std::vector<double>{unit, 2 * unit, 0}) ==
          Approx((1 + 2 * discount(2)) / (2 + discount(2))).epsilon(1e-12));
  const std::vector<int> y{3, 1, 0};
  const std::vector<double> w{1e308, 0.5e308, 1e308};
  CHECK(evaluate(ndcg{}, list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}) ==
        Approx(1.0).epsilon(1e-14));
  // What is worth nothing may be heavier by any factor.
  const std::vector<int> last{0, 0, 1};
  for (const double heavy : {1.0, 1e300}) {
    const std::vector<double> light{heavy, 2 * heavy, 1e-300};
    CHECK(evaluate(ndcg{}, list_batch<double, int>{.scores = s, .relevance = last, .item_weights = light}) ==
          Approx(discount(3)).epsilon(1e-14));
  }
}

TEST_CASE("ndcg ranks infinite scores first and last") {
  const std::vector<double> s{-infinity, 0.0, infinity, infinity};
  const std::vector<int> y{2, 0, 1, 0};
  const double value = 0.5 * (discount(1) + discount(2)) + 3 * discount(4);
  CHECK(of(ndcg{}, s, y) == Approx(value / (3 + discount(2))).epsilon(1e-14));
}

TEST_CASE("ndcg of long lists with and without ties") {
  std::mt19937_64 random(3);
  const std::size_t n = 6000;  // where the sort takes its longer digits
  const auto y = support::whole_numbers<std::uint8_t>(random, n, 5);
  for (const unsigned values : {7u, 1u << 30}) {
    const auto s = support::whole_numbers<double>(random, n, values);
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] > s[b]; });
    double expected = 0.0;
    for (std::size_t begin = 0, end; begin < n; begin = end) {
      double gains = 0.0;
      double discounts = 0.0;
      for (end = begin; end < n && s[order[end]] == s[order[begin]]; ++end) {
        gains += std::pow(2.0, y[order[end]]) - 1.0;
        if (end < 2500) discounts += discount(static_cast<double>(end + 1));
      }
      expected += gains * discounts / static_cast<double>(end - begin);
    }
    CHECK(of(dcg{.cutoff = 2500}, s, y) == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("ndcg over dense lists with a mask is that of the lists alone") {
  const std::vector<float> s{1, 2, 9, 0, 3, 1, 2, 0};
  const std::vector<float> y{1, 0, 2, 0, 0, 2, 1, 0};
  const std::vector<std::uint8_t> mask{1, 1, 0, 0, 1, 1, 1, 0};
  std::vector<double> per_list(2);
  evaluate(ndcg{}, list_batch<float>{.scores = s, .relevance = y, .length = 3, .stride = 4, .mask = mask},
           {.per_list = per_list});
  CHECK(per_list[0] == of(ndcg{}, std::vector<float>{1, 2}, std::vector<float>{1, 0}));
  CHECK(per_list[1] == of(ndcg{}, std::vector<float>{3, 1, 2}, std::vector<float>{0, 2, 1}));
}

TEMPLATE_TEST_CASE("dcg and ndcg as functions of ranks", "", float, double) {
  const std::vector<double> table{0.0, 0.5, 4.0};
  for (const gain kind : {gain::exponential, gain::linear, gain::table}) {
    const std::vector<double> grades = kind == gain::table ? table : std::vector<double>{};
    support::check_rank_function<TestType>(
        [&](std::size_t k) { return dcg{.gain = kind, .gain_table = grades, .cutoff = k}; }, 4);
    for (const auto ideal : {rankloss::ideal::sorted, rankloss::ideal::competition_ranks})
      support::check_rank_function<TestType>(
          [&](std::size_t k) {
            return ndcg{.gain = kind, .gain_table = grades, .cutoff = k, .ideal = ideal};
          },
          4);
  }
  support::check_nothing_relevant(dcg{.cutoff = 2});
  support::check_nothing_relevant(ndcg{.cutoff = 2});
}

TEST_CASE("dcg and ndcg of ranks by hand") {
  const std::vector<double> s{0, 0, 0};
  const std::vector<int> y{1, 2, 0};
  const auto items = support::list_of(s, y);
  std::vector<double> by_rank(3, 99.0);
  const double value = discount(2.5) + 3 * discount(1.25);
  CHECK(support::of_ranks(dcg{}, {2.5, 1.25, 1.5}, items, by_rank) == Approx(value).epsilon(1e-14));
  CHECK(by_rank[0] == Approx(-discount(2.5) * discount(2.5) / (std::log(2.0) * 3.5)).epsilon(1e-14));
  CHECK(by_rank[2] == 0.0);
  CHECK(support::of_ranks(ndcg{}, {2.5, 1.25, 1.5}, items, by_rank) ==
        Approx(value / (3 + discount(2))).epsilon(1e-14));
  CHECK(by_rank[1] ==
        Approx(-3 * discount(1.25) * discount(1.25) / (std::log(2.0) * 2.25) / (3 + discount(2)))
            .epsilon(1e-14));
  CHECK(support::of_ranks(ndcg{.cutoff = 2}, {2.5, 1.25, 1.5}, items) ==
        Approx((0.5 * discount(2.5) + 3 * discount(1.25)) / (3 + discount(2))).epsilon(1e-14));
}

TEST_CASE("dcg of infinite gains is infinite or 0, never NaN") {
  const std::vector<double> s{3, 2, 1};
  const std::vector<int> y{1, 2000, 2000};
  const std::vector<double> w{1, 0, 1};
  CHECK(of(dcg{}, s, y) == infinity);
  CHECK(evaluate(dcg{.cutoff = 2}, list_batch<double, int>{.scores = s, .relevance = y, .item_weights = w}) ==
        1.0);
  std::vector<double> by_rank(3, 99.0);
  CHECK(support::of_ranks(dcg{.cutoff = 2}, {1, 2, 3}, support::list_of(s, y, w), by_rank) == 1.0);
  CHECK(by_rank[0] < 0.0);
  CHECK(by_rank[1] == 0.0);
  CHECK(by_rank[2] == 0.0);
}

TEST_CASE("ndcg gives the same bits on any number of threads") {
  std::mt19937_64 random(4);
  const std::size_t lists = 300;
  std::vector<std::size_t> offsets{0};
  while (offsets.size() <= lists) offsets.push_back(offsets.back() + random() % 90);
  const auto s = support::whole_numbers<float>(random, offsets.back(), 30);
  const auto y = support::whole_numbers<int>(random, offsets.back(), 5);
  const list_batch<float, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  const double alone = evaluate(ndcg{.cutoff = 10}, batch);
  for (const std::size_t workers : {2u, 7u}) {
    rankloss::context context{rankloss::threads(workers)};
    CHECK(evaluate(ndcg{.cutoff = 10}, batch, {}, context) == alone);
  }
}

TEST_CASE("ndcg refuses what it cannot do") {
  const std::vector<double> s{1, 2};
  const std::vector<int> y{1, 0};
  std::vector<double> out(2);
  const list_batch<double, int> batch{.scores = s, .relevance = y};
  CHECK_THROWS_WITH(evaluate(ndcg{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
  CHECK_THROWS_WITH(evaluate(dcg{}, batch, {.hessian = out}),
                    "rankloss: hessian: this loss has none, expected an empty output");
  CHECK_THROWS_WITH(evaluate(ndcg{.gain = gain::table}, batch),
                    "rankloss: gain_table: size 0, expected one gain a grade");
  CHECK_THROWS_WITH(evaluate(dcg{.gain_table = s}, batch),
                    "rankloss: gain_table: size 2, expected none unless gain is gain::table");
  const std::vector<double> negative{0.0, -1.0};
  CHECK_THROWS_WITH(evaluate(ndcg{.gain = gain::table, .gain_table = negative}, batch),
                    "rankloss: gain_table: -1 at grade 1, expected 0 to 1e30");
  const std::vector<double> bad{1, std::numeric_limits<double>::quiet_NaN()};
  CHECK_THROWS_WITH(of(ndcg{}, bad, y), "rankloss: scores: nan at list 0, item 1, expected a number");
  std::vector<double> square(4);
  CHECK_THROWS_WITH(
      evaluate(rankloss::bidirectional<ndcg>{},
               rankloss::similarity_batch<double>{.similarity = square, .rows = 2, .columns = 2},
               {.gradient = square}),
      "rankloss: gradient: a metric has none, expected an empty output");

  // Whatever comes of NaN when the host vouches for its data, nothing else is touched.
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_NOTHROW(evaluate(ndcg{}, list_batch<double, int>{.scores = bad, .relevance = y}, {}, unchecked));
  CHECK_NOTHROW(evaluate(ndcg{}, list_batch<double>{.scores = s, .relevance = bad}, {}, unchecked));
}

TEMPLATE_TEST_CASE("dcg and ndcg of lists that miss items", "", float, double) {
  support::check_missed<TestType>([](std::size_t k) { return dcg{.cutoff = k}; });
  support::check_missed<TestType>([](std::size_t k) { return ndcg{.cutoff = k}; });
  support::check_missed<TestType>([](std::size_t k) {
    return ndcg{.gain = gain::linear, .cutoff = k, .ideal = rankloss::ideal::competition_ranks};
  });
}

}  // namespace

}  // namespace metrics_ndcg_test
