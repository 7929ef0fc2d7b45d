// SPDX-License-Identifier: BSL-1.0
#include <rankloss/weighted_sum.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>

#include "support/peer_retrieval.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace weighted_sum_test {

namespace {

using rankloss::bidirectional;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::mining;
using rankloss::reduction;
using rankloss::similarity_batch;
using rankloss::sndcg;
using rankloss::triplet;
using rankloss::weighted;
using rankloss::weighted_sum;

using retrieval_loss = weighted_sum<triplet, bidirectional<sndcg>>;
static_assert(
    std::is_same_v<decltype(weighted_sum{weighted{0.1, triplet{}}, weighted{0.9, bidirectional<sndcg>{}}}),
                   retrieval_loss>);
static_assert(rankloss::similarity_loss<retrieval_loss, double>);
static_assert(!rankloss::ranking_loss<retrieval_loss, double>);
static_assert(!retrieval_loss::has_hessian && retrieval_loss::has_gradient);
static_assert(rankloss::ranking_loss<weighted_sum<sndcg, sndcg>, float, int>);
static_assert(!rankloss::similarity_loss<weighted_sum<sndcg, sndcg>, float, int>);
static_assert(weighted_sum<sndcg, sndcg>::has_hessian);

TEST_CASE("triplet and S-NDCG together agree with Listwise_ITR") {
  const auto relevance = peers::relevance();
  const auto s = peers::similarity();
  const similarity_batch<double> batch{
      .similarity = s, .rows = peers::pairs, .columns = peers::pairs, .relevance = relevance};
  const auto check = [&](double listwise, double temperature, const peers::expected& expected) {
    const weighted_sum loss{
        weighted{1.0 - listwise, triplet{.margin = peers::margin}},
        weighted{listwise, bidirectional<sndcg>{
                               sndcg{.temperature = temperature, .ideal = rankloss::ideal::competition_ranks},
                               rankloss::column_relevance::of_rows}}};
    std::vector<double> gradient(s.size(), std::numeric_limits<double>::quiet_NaN());
    CHECK(evaluate(loss, batch, {.gradient = gradient}) == Approx(expected.value).epsilon(1e-6));
    peers::check_gradient(gradient, expected);
  };
  check(0.0, 0.1, peers::triplet);
  check(0.5, 0.01, peers::half_and_half_001);
  check(0.5, 0.1, peers::half_and_half_01);
  check(1.0, 0.01, peers::sndcg_001);
  check(1.0, 0.1, peers::sndcg_01);
}

/// A rectangular matrix in which rows and columns have several matches.
struct sample {
  std::size_t rows = 7;
  std::size_t columns = 10;
  std::size_t stride = 12;
  std::vector<double> s, relevance;
  std::vector<int> row_classes, column_classes;
  std::vector<double> row_weights;

  explicit sample(unsigned seed) {
    std::mt19937_64 random(seed);
    s = support::numbers<double>(random, rows * stride);
    relevance = support::whole_numbers<double>(random, rows * columns, 4);
    row_classes = support::whole_numbers<int>(random, rows, 4);
    column_classes = support::whole_numbers<int>(random, columns, 4);
    row_weights = support::whole_numbers<double>(random, rows, 3);
  }
  [[nodiscard]] similarity_batch<double> batch() const {
    return {.similarity = s,
            .rows = rows,
            .columns = columns,
            .stride = stride,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .relevance = relevance,
            .row_weights = row_weights};
  }
};

TEST_CASE("a sum of similarity losses is the sum of what they give") {
  const sample data(1);
  const triplet first{.margin = 0.3, .mine = mining::all};
  const bidirectional<sndcg> second{sndcg{.temperature = 0.2}};
  const triplet third{.margin = 0.1};
  const double a = 0.25;
  const double b = 2.0;
  const double c = -0.5;
  const weighted_sum loss{weighted{a, first}, weighted{b, second}, weighted{c, third}};
  for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum})
    for (const auto update : {rankloss::update::overwrite, rankloss::update::add}) {
      auto batch = data.batch();
      batch.reduction = how;
      const std::size_t lists = data.rows + data.columns;
      std::vector<double> g(data.s.size(), 3.0), g1(g), g2(g), g3(g), q(lists), q1(q), q2(q), q3(q);
      const double value =
          evaluate(loss, batch, {.gradient = g, .per_list = q, .scale = 1.5, .update = update});
      const double v1 = evaluate(first, batch, {.gradient = g1, .per_list = q1});
      const double v2 = evaluate(second, batch, {.gradient = g2, .per_list = q2});
      const double v3 = evaluate(third, batch, {.gradient = g3, .per_list = q3});
      CHECK(value == Approx(a * v1 + b * v2 + c * v3).epsilon(1e-14));
      for (std::size_t l = 0; l < lists; ++l)
        CHECK(q[l] == Approx(a * q1[l] + b * q2[l] + c * q3[l]).epsilon(1e-14));
      for (std::size_t i = 0; i < data.rows; ++i)
        for (std::size_t j = 0; j < data.stride; ++j) {
          const std::size_t k = i * data.stride + j;
          if (j >= data.columns) {
            CHECK(g[k] == 3.0);
            continue;
          }
          const double before = update == rankloss::update::add ? 3.0 : 0.0;
          CHECK(g[k] ==
                Approx(before + 1.5 * (a * g1[k] + b * g2[k] + c * g3[k])).epsilon(1e-13).margin(1e-14));
        }
    }
}

TEST_CASE("the gradient of a sum is the slope of its value") {
  sample data(2);
  const weighted_sum loss{weighted{0.4, triplet{.margin = 0.3, .mine = mining::all}},
                          weighted{0.6, bidirectional<sndcg>{sndcg{.temperature = 0.3}}}};
  std::vector<double> gradient(data.s.size());
  evaluate(loss, data.batch(), {.gradient = gradient});
  for (std::size_t i = 0; i < data.rows; ++i)
    for (std::size_t j = 0; j < data.columns; ++j) {
      double& x = data.s[i * data.stride + j];
      const double middle = x;
      const double h = 0x1p-18;
      x = middle + h;
      const double above = evaluate(loss, data.batch());
      x = middle - h;
      const double below = evaluate(loss, data.batch());
      x = middle;
      CHECK(gradient[i * data.stride + j] == Approx((above - below) / (2 * h)).epsilon(1e-7).margin(1e-9));
    }
}

TEST_CASE("a term of weight 0 is left out") {
  const sample data(3);
  const triplet kept{};
  // Were it run, an infinite score would make the other term infinite, and 0 times that NaN.
  std::vector<double> s = data.s;
  s[0] = std::numeric_limits<double>::infinity();
  auto batch = data.batch();
  batch.similarity = s;
  const weighted_sum second{weighted{0.0, triplet{}}, weighted{2.0, bidirectional<sndcg>{}}};
  const weighted_sum first{weighted{2.0, bidirectional<sndcg>{}}, weighted{0.0, triplet{}}};
  std::vector<double> g(s.size(), 5.0), expected(g), q(data.rows + data.columns), alone(q);
  const double value =
      2.0 * evaluate(bidirectional<sndcg>{}, batch, {.gradient = expected, .per_list = alone, .scale = 2.0});
  for (int turn = 0; turn < 2; ++turn) {
    std::fill(g.begin(), g.end(), 5.0);
    const double sum = turn == 0 ? evaluate(second, batch, {.gradient = g, .per_list = q})
                                 : evaluate(first, batch, {.gradient = g, .per_list = q});
    CHECK(sum == Approx(value).epsilon(1e-14));
    for (std::size_t k = 0; k < g.size(); ++k) CHECK(g[k] == Approx(expected[k]).epsilon(1e-14));
    for (std::size_t l = 0; l < q.size(); ++l) CHECK(q[l] == Approx(2.0 * alone[l]).epsilon(1e-14));
  }

  // With no term left the outputs are still written.
  const weighted_sum none{weighted{0.0, kept}, weighted{0.0, bidirectional<sndcg>{}}};
  for (const auto update : {rankloss::update::overwrite, rankloss::update::add}) {
    std::fill(g.begin(), g.end(), 5.0);
    std::fill(q.begin(), q.end(), 5.0);
    std::vector<float> narrow(g.size(), 5.0f);
    CHECK(evaluate(none, data.batch(), {.gradient = g, .per_list = q, .update = update}) == 0.0);
    evaluate(none, data.batch(), {.gradient = narrow, .update = update});
    CHECK(q == std::vector<double>(q.size(), 0.0));
    for (std::size_t k = 0; k < g.size(); ++k) {
      const double written =
          k % data.stride < data.columns && update == rankloss::update::overwrite ? 0.0 : 5.0;
      CHECK(g[k] == written);
      CHECK(static_cast<double>(narrow[k]) == written);
    }
  }
}

TEST_CASE("a sum of list losses is the sum of what they give") {
  std::mt19937_64 random(4);
  const std::vector<std::size_t> offsets{0, 5, 5, 6, 40, 400};
  const auto s = support::numbers<double>(random, offsets.back());
  const auto y = support::whole_numbers<double>(random, offsets.back(), 3);
  const auto list_weights = support::whole_numbers<double>(random, 5, 5);
  const sndcg first{.temperature = 0.1};
  const sndcg second{.temperature = 1.0, .gain = rankloss::gain::linear, .cutoff = 3};
  const weighted_sum loss{weighted{0.7, first}, weighted{0.0, sndcg{}}, weighted{0.2, second},
                          weighted{0.1, first}};
  for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
    const list_batch<double> batch{
        .scores = s, .relevance = y, .offsets = offsets, .list_weights = list_weights, .reduction = how};
    std::vector<double> g(s.size(), 9.0), h(g), g1(g), g2(g), h1(g), h2(g), q(5), q1(5), q2(5);
    const double value = evaluate(loss, batch, {.gradient = g, .per_list = q, .hessian = h});
    const double v1 = evaluate(first, batch, {.gradient = g1, .per_list = q1, .hessian = h1});
    const double v2 = evaluate(second, batch, {.gradient = g2, .per_list = q2, .hessian = h2});
    CHECK(value == Approx(0.8 * v1 + 0.2 * v2).epsilon(1e-13));
    for (std::size_t l = 0; l < 5; ++l) CHECK(q[l] == Approx(0.8 * q1[l] + 0.2 * q2[l]).epsilon(1e-13));
    for (std::size_t k = 0; k < g.size(); ++k) {
      CHECK(g[k] == Approx(0.8 * g1[k] + 0.2 * g2[k]).epsilon(1e-10).margin(1e-14));
      CHECK(h[k] == Approx(0.8 * h1[k] + 0.2 * h2[k]).epsilon(1e-10).margin(1e-12));
    }
    std::fill(g.begin(), g.end(), 9.0);
    CHECK(evaluate(weighted_sum{weighted{0.0, first}}, batch, {.gradient = g, .hessian = h}) == 0.0);
    CHECK(g == std::vector<double>(g.size(), 0.0));
    CHECK(h == std::vector<double>(h.size(), 0.0));
  }

  // Sums nest, and go over the rows and columns of a matrix like any list loss.
  const sample data(5);
  const bidirectional<weighted_sum<sndcg, sndcg>> both{{weighted{0.3, first}, weighted{0.7, second}}};
  const weighted_sum nested{weighted{1.0, weighted_sum{weighted{0.3, bidirectional<sndcg>{first}},
                                                       weighted{0.7, bidirectional<sndcg>{second}}}}};
  std::vector<double> g1(data.s.size(), 1.0), g2(g1);
  CHECK(evaluate(both, data.batch(), {.gradient = g1}) ==
        Approx(evaluate(nested, data.batch(), {.gradient = g2})).epsilon(1e-13));
  for (std::size_t k = 0; k < g1.size(); ++k) CHECK(g1[k] == Approx(g2[k]).epsilon(1e-10).margin(1e-14));
}

TEST_CASE("a list counts in mean_of_relevant when it does for a term that runs") {
  const std::vector<double> table{0.0, 0.0, 1.0};  // grade 1 is worth nothing
  const sndcg strict{.gain = rankloss::gain::table, .gain_table = table};
  const std::vector<double> s{1, 2, 3, 4};
  const std::vector<double> y{1, 0, 2, 0};
  const std::vector<int> offsets{0, 2, 4};
  const list_batch<double> batch{
      .scores = s, .relevance = y, .offsets = offsets, .reduction = reduction::mean_of_relevant};
  const double one = 1.0 - 1.0 / std::log2(3.0);  // loss of the only relevant item in second place
  CHECK(evaluate(strict, batch) == Approx(one));
  CHECK(evaluate(sndcg{}, batch) == Approx(one));
  CHECK(evaluate(weighted_sum{weighted{1.0, strict}, weighted{0.0, sndcg{}}}, batch) == Approx(one));
  CHECK(evaluate(weighted_sum{weighted{1.0, strict}, weighted{1.0, sndcg{}}}, batch) ==
        Approx(0.5 * (0.0 + one) + one));
}

TEST_CASE("a sum of metrics is a metric") {
  const weighted_sum metric{weighted{0.5, rankloss::metrics::hit{.cutoff = 1}},
                            weighted{0.5, rankloss::metrics::hit{.cutoff = 2}}};
  const std::vector<float> s{3, 2, 1};
  const std::vector<int> y{0, 1, 0};
  std::vector<float> g(3);
  CHECK(evaluate(metric, list_batch<float, int>{.scores = s, .relevance = y}) == 0.5);
  CHECK_THROWS_WITH(evaluate(metric, list_batch<float, int>{.scores = s, .relevance = y}, {.gradient = g}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

TEST_CASE("a sum gives the same bits on any number of threads, and its scratch stops growing") {
  std::mt19937_64 random(6);
  const std::size_t n = 60;
  const auto s = support::numbers<float>(random, n * n);
  const similarity_batch<float> batch{.similarity = s, .rows = n, .columns = n};
  const weighted_sum loss{weighted{0.1, triplet{}}, weighted{0.9, bidirectional<sndcg>{}}};
  std::vector<float> alone(n * n);
  std::vector<double> lists(2 * n);
  const double value = evaluate(loss, batch, {.gradient = alone, .per_list = lists});
  for (const std::size_t workers : {1u, 2u, 7u}) {
    rankloss::context context{rankloss::threads(workers)};
    std::vector<float> gradient(n * n);
    std::vector<double> per_list(2 * n);
    CHECK(evaluate(loss, batch, {.gradient = gradient, .per_list = per_list}, context) == value);
    const std::size_t held = context.scratch_capacity();
    CHECK(evaluate(loss, batch, {.gradient = gradient, .per_list = per_list}, context) == value);
    if (workers == 1) CHECK(context.scratch_capacity() == held);
    CHECK(gradient == alone);
    CHECK(per_list == lists);
  }
}

TEST_CASE("every term is checked before anything is written") {
  const std::vector<double> s{1, 2, 3, 4, 5, 6};
  const std::vector<std::uint8_t> matches{1, 0, 0, 0, 1, 0};
  std::vector<double> g(6, 9.0);
  std::vector<double> q(5, 9.0);
  const rankloss::outputs out{.gradient = g, .per_list = q};
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 3, .matches = matches};
  const auto sum = [](double weight, triplet a, bidirectional<sndcg> b) {
    return weighted_sum{weighted{0.5, a}, weighted{weight, b}};
  };
  CHECK_THROWS_WITH(evaluate(sum(std::nan(""), {}, {}), batch, out),
                    "rankloss: terms[1].weight: nan, expected a finite number");
  CHECK_THROWS_WITH(evaluate(sum(-std::numeric_limits<double>::infinity(), {}, {}), batch, out),
                    "rankloss: terms[1].weight: -inf, expected a finite number");
  CHECK_THROWS_WITH(evaluate(sum(0.0, {}, {sndcg{.temperature = 0.0}}), batch, out),
                    "rankloss: terms[1].loss.loss.temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(evaluate(sum(0.5, {.margin = -1}, {}), batch, out),
                    "rankloss: terms[0].loss.margin: -1, expected a finite number >= 0");
  CHECK_THROWS_WITH(evaluate(sum(0.5, {}, {{}, rankloss::column_relevance::of_rows}), batch, out),
                    "rankloss: columns_by: of_rows for 2 rows and 3 columns, expected a square matrix");
  batch.matches = {};
  const std::vector<double> relevance(6, 1.0);
  batch.relevance = relevance;  // enough for the second term, not for the first
  CHECK_THROWS_WITH(
      evaluate(sum(0.5, {}, {}), batch, out),
      "rankloss: matches: none given for 2 rows and 3 columns, expected a square matrix, extra_columns, matches or classes");
  batch.matches = matches;
  const rankloss::outputs bent{.gradient = g, .hessian = g};
  CHECK_THROWS_WITH(evaluate(sum(0.5, {}, {}), batch, bent),
                    "rankloss: hessian: this loss has none, expected an empty output");
  CHECK(g == std::vector<double>(6, 9.0));
  CHECK(q == std::vector<double>(5, 9.0));
}

}  // namespace

}  // namespace weighted_sum_test
