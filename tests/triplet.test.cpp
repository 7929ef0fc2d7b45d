// SPDX-License-Identifier: BSL-1.0
#include <rankloss/triplet.hpp>

#include <rankloss/threads.hpp>

#include "support/peer_embeddings.hpp"
#include "support/peer_retrieval.hpp"
#include "support/tied_orders.hpp"
#include "support/triplet_reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace triplet_test {

namespace {

using rankloss::evaluate;
using rankloss::mined_positives;
using rankloss::mining;
using rankloss::reduction;
using rankloss::similarity_batch;
using rankloss::triplet;
using rankloss::triplet_average;
using rankloss::triplet_form;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// One query by the formula.
double plain_query(const triplet& loss, const std::vector<double>& scores,
                   const std::vector<bool>& positive) {
  double sum = 0.0;
  double positives = 0.0;
  for (std::size_t p = 0; p < scores.size(); ++p) {
    if (!positive[p]) continue;
    positives += 1.0;
    double all = 0.0;
    double hardest = 0.0;
    for (std::size_t n = 0; n < scores.size(); ++n) {
      if (positive[n]) continue;
      const double hinge = std::max(0.0, loss.margin - scores[p] + scores[n]);
      all += hinge;
      hardest = std::max(hardest, hinge);
    }
    sum += loss.mine == mining::all ? all : hardest;
  }
  return positives > 0.0 ? sum / positives : 0.0;
}

/// Both directions by the formula: [rows], then [columns].
template <class Scores, class Match>
std::vector<double> plain_queries(const triplet& loss, const Scores& s, std::size_t rows, std::size_t columns,
                                  Match match) {
  std::vector<double> values;
  std::vector<double> scores;
  std::vector<bool> positive;
  for (std::size_t i = 0; i < rows; ++i) {
    scores.clear(), positive.clear();
    for (std::size_t j = 0; j < columns; ++j)
      scores.push_back(static_cast<double>(s[i * columns + j])), positive.push_back(match(i, j));
    values.push_back(plain_query(loss, scores, positive));
  }
  for (std::size_t j = 0; j < columns; ++j) {
    scores.clear(), positive.clear();
    for (std::size_t i = 0; i < rows; ++i)
      scores.push_back(static_cast<double>(s[i * columns + j])), positive.push_back(match(i, j));
    values.push_back(plain_query(loss, scores, positive));
  }
  return values;
}

/// Reports the gradient of one query: row 0 of a matrix whose columns have no negatives, so that they add
/// nothing.
std::vector<double> query_gradient(const triplet& loss, const std::vector<double>& scores,
                                   const std::vector<std::uint8_t>& positive, double* value = nullptr) {
  std::vector<double> gradient(scores.size(), 7.0);
  const similarity_batch<double> batch{.similarity = scores,
                                       .rows = 1,
                                       .columns = scores.size(),
                                       .matches = positive,
                                       .reduction = reduction::sum};
  const double v = evaluate(loss, batch, {.gradient = gradient});
  if (value != nullptr) *value = v;
  return gradient;
}

TEST_CASE("triplet: of items with themselves, without the diagonal no item is a positive of itself") {
  const std::vector<int> classes{0, 0, 1, 1};
  const std::vector<double> s{1.0, 0.6, 0.7, 0.2, 0.6, 1.0, 0.3, 0.5, 0.7, 0.3, 1.0, 0.4, 0.2, 0.5, 0.4, 1.0};
  for (const mining mine : {mining::hardest, mining::all}) {
    const triplet loss{.margin = 0.3, .mine = mine};
    double expected = 0.0;
    for (std::size_t i = 0; i < 4; ++i) {
      std::vector<double> scores;
      std::vector<bool> positive;
      for (std::size_t j = 0; j < 4; ++j) {
        if (i == j) continue;
        scores.push_back(s[i * 4 + j]);
        positive.push_back(classes[i] == classes[j]);
      }
      expected += plain_query(loss, scores, positive) / 4.0;  // the matrix is symmetric: columns are the same
    }
    std::vector<double> gradient(16, 9.0);
    const similarity_batch<double> batch{.similarity = s,
                                         .rows = 4,
                                         .columns = 4,
                                         .row_classes = classes,
                                         .column_classes = classes,
                                         .without_diagonal = true};
    CHECK(evaluate(loss, batch, {.gradient = gradient}) == Approx(expected).epsilon(1e-14));
    for (std::size_t i = 0; i < 4; ++i) CHECK(gradient[i * 5] == 0.0);
  }
}

TEST_CASE("triplet agrees with VSE++") {
  const auto s = peers::similarity();
  std::vector<double> gradient(s.size());
  const similarity_batch<double> batch{
      .similarity = s, .rows = peers::pairs, .columns = peers::pairs, .reduction = reduction::sum};
  for (const mining mine : {mining::all, mining::hardest}) {
    const auto& expected = mine == mining::all ? peers::vse_sum_of_hinges : peers::vse_max_of_hinges;
    CHECK(evaluate(triplet{.margin = peers::margin, .mine = mine}, batch, {.gradient = gradient}) ==
          Approx(expected.value).epsilon(1e-6));
    const auto by_images = peers::by_images(gradient);
    for (std::size_t k = 0; k < by_images.size(); ++k)
      CHECK(by_images[k] == Approx(expected.by_images[k]).margin(2e-6));
  }
}

TEST_CASE("triplet agrees with the pairwise part of Listwise_ITR") {
  const auto s = peers::similarity();
  std::vector<double> gradient(s.size());
  const similarity_batch<double> batch{.similarity = s, .rows = peers::pairs, .columns = peers::pairs};
  CHECK(evaluate(triplet{.margin = peers::margin}, batch, {.gradient = gradient}) ==
        Approx(peers::triplet.value).epsilon(1e-6));
  peers::check_gradient(gradient, peers::triplet);
}

TEST_CASE("triplet of a matrix that can be counted by hand") {
  const std::vector<double> s{0.5, 0.35, 0.9,  //
                              0.1, 0.6,  0.2};
  const std::vector<std::uint8_t> matches{1, 0, 0,  //
                                          0, 1, 1};
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 3, .matches = matches};
  std::vector<double> per_list(5);
  std::vector<double> g(6);

  // Row 0: 0.2 - 0.5 + 0.9. Row 1: positives 0.6 and 0.2, negative 0.1: mean of 0 and 0.1. Column 2: 0.2 -
  // 0.2 + 0.9.
  const double value = evaluate(triplet{}, batch, {.gradient = g, .per_list = per_list});
  const std::vector<double> hardest{0.6, 0.05, 0.0, 0.0, 0.9};
  for (std::size_t q = 0; q < 5; ++q) CHECK(per_list[q] == Approx(hardest[q]).margin(1e-15));
  CHECK(value == Approx(0.5 * 0.65 / 2 + 0.5 * 0.9 / 3));
  const std::vector<double> by_hand{-1.0 / 4, 0, 1.0 / 4 + 1.0 / 6,  //
                                    1.0 / 8,  0, -1.0 / 8 - 1.0 / 6};
  for (std::size_t k = 0; k < 6; ++k) CHECK(g[k] == Approx(by_hand[k]).margin(1e-15));

  // With all negatives row 0 has 0.2 - 0.5 + 0.35 besides.
  batch.reduction = reduction::sum;
  CHECK(evaluate(triplet{.mine = mining::all}, batch, {.per_list = per_list}) == Approx(0.65 + 0.05 + 0.9));
  CHECK(per_list[0] == Approx(0.65));
}

TEMPLATE_TEST_CASE("triplet is its formula, for any matches and any number of positives", "", float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t rows : {1u, 5u, 90u})
    for (const std::size_t columns : {1u, 6u, 130u})
      for (const unsigned classes : {2u, 7u, 60u})
        for (const bool ties : {false, true}) {
          auto s = support::numbers<TestType>(random, rows * columns);
          if (ties)
            for (auto& x : s) x = std::round(x * 8) / 8;
          const auto row_classes = support::whole_numbers<int>(random, rows, classes);
          const auto column_classes = support::whole_numbers<std::int64_t>(random, columns, classes);
          const similarity_batch<TestType> batch{.similarity = s,
                                                 .rows = rows,
                                                 .columns = columns,
                                                 .row_classes = row_classes,
                                                 .column_classes = column_classes};
          const auto match = [&](std::size_t i, std::size_t j) {
            return row_classes[i] == column_classes[j];
          };
          for (const mining mine : {mining::hardest, mining::all}) {
            const triplet loss{.margin = 0.25, .mine = mine};
            const auto expected = plain_queries(loss, s, rows, columns, match);
            std::vector<double> per_list(rows + columns);
            const double value = evaluate(loss, batch, {.per_list = per_list});
            double by_rows = 0.0;
            double by_columns = 0.0;
            double worst = 0.0;
            for (std::size_t q = 0; q < rows + columns; ++q) {
              (q < rows ? by_rows : by_columns) += expected[q];
              worst = std::max(worst, std::abs(per_list[q] - expected[q]) / (1.0 + expected[q]));
            }
            CHECK(worst < 1e-13);
            CHECK(value == Approx(0.5 * by_rows / static_cast<double>(rows) +
                                  0.5 * by_columns / static_cast<double>(columns))
                               .epsilon(1e-12));
          }
        }
}

TEST_CASE("the gradient of triplet is the slope of its value") {
  std::mt19937_64 random(2);
  const std::size_t rows = 60;
  const std::size_t columns = 70;
  auto s = support::numbers<double>(random, rows * columns);
  const auto weights = support::whole_numbers<double>(random, rows, 4);
  for (const unsigned classes : {1u, 4u, 50u}) {
    const auto row_classes =
        support::whole_numbers<int>(random, rows, classes + 1);  // one class a row may have and no column
    const auto column_classes = support::whole_numbers<int>(random, columns, classes);
    for (const mining mine : {mining::hardest, mining::all})
      for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
        const triplet loss{.margin = 0.3, .mine = mine};
        const similarity_batch<double> batch{.similarity = s,
                                             .rows = rows,
                                             .columns = columns,
                                             .row_classes = row_classes,
                                             .column_classes = column_classes,
                                             .row_weights = weights,
                                             .reduction = how};
        std::vector<double> gradient(s.size(), std::numeric_limits<double>::quiet_NaN());
        const double value = evaluate(loss, batch, {.gradient = gradient});
        for (int probe = 0; probe < 25; ++probe) {
          const std::size_t k = random() % s.size();
          const double h = 0x1p-20;
          const double middle = s[k];
          s[k] = middle + h;
          const double above = evaluate(loss, batch);
          s[k] = middle - h;
          const double below = evaluate(loss, batch);
          s[k] = middle;
          CHECK(gradient[k] == Approx((above - below) / (2 * h)).margin(1e-9 * (1.0 + value)));
        }
      }
  }
}

TEST_CASE("few and many positives give the same gradient") {
  // The same query once by a pass for each positive, once in sorted order: 32 positives and 33, the last one
  // far above every negative.
  std::mt19937_64 random(3);
  auto s = support::numbers<double>(random, 132);
  std::vector<std::uint8_t> positive(132, 0);
  std::fill_n(positive.begin(), 32, std::uint8_t{1});
  double few = 0.0;
  const auto by_passes = query_gradient({.mine = mining::all}, s, positive, &few);
  s.push_back(100.0);
  positive.push_back(1);
  double many = 0.0;
  const auto by_order = query_gradient({.mine = mining::all}, s, positive, &many);
  CHECK(many == Approx(few * 32 / 33).epsilon(1e-14));
  for (std::size_t k = 0; k < by_passes.size(); ++k)
    CHECK(by_order[k] == Approx(by_passes[k] * 32 / 33).epsilon(1e-14));
  CHECK(by_order.back() == 0.0);
}

TEST_CASE("equally hard negatives share the gradient equally") {
  CHECK(query_gradient({.margin = 0.5}, {0.25, 1.0, 0.0, 1.0}, {1, 0, 0, 0}) ==
        std::vector<double>{-1, 0.5, 0, 0.5});
  CHECK(query_gradient({.margin = 0.5}, {0.0, 1.0, 0.25, 1.0, 0.5}, {0, 0, 1, 0, 1}) ==
        std::vector<double>{0, 0.5, -0.5, 0.5, -0.5});
  CHECK(query_gradient({.margin = 0.5}, {1.0, 1.0, 0.5, 1.0, 1.0}, {0, 0, 1, 0, 0}) ==
        std::vector<double>{0.25, 0.25, -1, 0.25, 0.25});
  CHECK(query_gradient({.margin = 0.5, .mine = mining::all}, {0.25, 1.0, 0.0, 1.0}, {1, 0, 0, 0}) ==
        std::vector<double>{-3, 1, 1, 1});
}

TEST_CASE("at the kink of a hinge the gradient is 0") {
  for (const mining mine : {mining::hardest, mining::all}) {
    double value = 1.0;
    CHECK(query_gradient({.margin = 0.5, .mine = mine}, {1.0, 0.5}, {1, 0}, &value) ==
          std::vector<double>{0, 0});
    CHECK(value == 0.0);
    CHECK(query_gradient({.margin = 0.0, .mine = mine}, {1.0, 1.0}, {1, 0}, &value) ==
          std::vector<double>{0, 0});
  }
  std::vector<double> s(41, 1.0);  // in sorted order too
  s.back() = 0.5;
  std::vector<std::uint8_t> positive(41, 1);
  positive.back() = 0;
  CHECK(query_gradient({.margin = 0.5, .mine = mining::all}, s, positive) == std::vector<double>(41, 0.0));
}

TEST_CASE("at collapse triplet is stuck at the margin") {
  const std::size_t n = 5;
  const std::vector<float> s(n * n, 0.3f);
  const similarity_batch<float> batch{.similarity = s, .rows = n, .columns = n, .reduction = reduction::sum};
  CHECK(evaluate(triplet{}, batch) == Approx(2 * n * 0.2));
  CHECK(evaluate(triplet{.mine = mining::all}, batch) == Approx(2 * n * (n - 1) * 0.2));
}

TEST_CASE("queries without positives or without negatives are 0") {
  for (const mining mine : {mining::hardest, mining::all})
    for (const std::uint8_t all : {std::uint8_t{0}, std::uint8_t{1}}) {
      double value = 1.0;
      CHECK(query_gradient({.mine = mine}, {3, 1, 2}, {all, all, all}, &value) ==
            std::vector<double>{0, 0, 0});
      CHECK(value == 0.0);
    }
  CHECK(evaluate(triplet{}, similarity_batch<double>{}) == 0.0);
  const std::vector<double> one{0.5};
  CHECK(evaluate(triplet{}, similarity_batch<double>{.similarity = one, .rows = 1, .columns = 1}) == 0.0);

  // Only queries with a positive count in mean_of_relevant.
  const std::vector<double> s{0.5, 0.7, 0.1, 0.4};
  const std::vector<std::uint8_t> matches{1, 0, 0, 0};
  const similarity_batch<double> batch{
      .similarity = s, .rows = 2, .columns = 2, .matches = matches, .reduction = reduction::mean_of_relevant};
  CHECK(evaluate(triplet{}, batch) == Approx(0.5 * 0.4));
}

TEST_CASE("triplet with infinite scores") {
  for (const mining mine : {mining::hardest, mining::all}) {
    const triplet loss{.margin = 0.5, .mine = mine};
    double value = 0.0;
    // A negative at -infinity is absent, even for a positive there.
    CHECK(query_gradient(loss, {-infinity, 1.0, 1.0}, {0, 1, 0}, &value) == std::vector<double>{0, -1, 1});
    CHECK(value == 0.5);
    CHECK(query_gradient(loss, {-infinity, -infinity}, {0, 1}, &value) == std::vector<double>{0, 0});
    CHECK(value == 0.0);
    CHECK(query_gradient(loss, {0.0, infinity}, {0, 1}, &value) == std::vector<double>{0, 0});
    CHECK(value == 0.0);
    CHECK(query_gradient(loss, {infinity, infinity}, {0, 1}, &value) == std::vector<double>{0, 0});
    CHECK(value == 0.0);
    CHECK(query_gradient(loss, {infinity, 0.0}, {0, 1}, &value) == std::vector<double>{1, -1});
    CHECK(value == infinity);
    CHECK(query_gradient(loss, {0.0, -infinity}, {0, 1}, &value) == std::vector<double>{1, -1});
    CHECK(value == infinity);
  }
  // Many positives, one of them infinite.
  std::vector<double> s(51, 1.0);
  s[7] = infinity;
  std::vector<std::uint8_t> positive(51, 1);
  positive[50] = 0;
  double value = 0.0;
  const auto gradient = query_gradient({.margin = 0.5, .mine = mining::all}, s, positive, &value);
  CHECK(value == Approx(0.5 * 49 / 50));
  CHECK(gradient[7] == 0.0);
  CHECK(gradient[50] == Approx(49.0 / 50));
}

TEST_CASE("triplet at the ends of a double: finite scores have a finite loss") {
  constexpr double most = std::numeric_limits<double>::max();
  for (const mining mine : {mining::hardest, mining::all})
    for (const std::size_t positives :
         {std::size_t{2}, std::size_t{40}}) {  // pair by pair and in sorted order
      std::vector<double> s(positives + 3, -most);
      std::vector<std::uint8_t> positive(s.size(), 1);
      for (std::size_t i = positives; i < s.size(); ++i) {
        s[i] = most;
        positive[i] = 0;
      }
      s[0] = most;  // clear of the negatives by a margin of 0
      double value = 0.0;
      const auto gradient = query_gradient({.margin = 0.0, .mine = mine}, s, positive, &value);
      CHECK(value >= 1e289);
      CHECK(std::isfinite(value));
      CHECK(gradient[0] == 0.0);
      const double each = (mine == mining::all ? 3.0 : 1.0) / static_cast<double>(positives);
      CHECK(gradient[1] == Approx(-each));
      CHECK(gradient.back() == Approx(static_cast<double>(positives - 1) / static_cast<double>(positives) /
                                      (mine == mining::all ? 1.0 : 3.0)));
      CHECK(std::isfinite(evaluate(
          triplet{.margin = most, .mine = mine},
          similarity_batch<double>{.similarity = s, .rows = 1, .columns = s.size(), .matches = positive})));
    }
}

TEST_CASE("triplet does not see a shift of all scores") {
  std::mt19937_64 random(4);
  auto s = support::whole_numbers<double>(random, 80 * 80, 1000);
  const auto classes = support::whole_numbers<int>(random, 80, 3);
  for (auto& x : s) x /= 256;  // so that the sums with the shift are exact
  auto shifted = s;
  for (auto& x : shifted) x += 1e9;
  for (const mining mine : {mining::hardest, mining::all}) {
    similarity_batch<double> batch{
        .similarity = s, .rows = 80, .columns = 80, .row_classes = classes, .column_classes = classes};
    const double value = evaluate(triplet{.margin = 0.3, .mine = mine}, batch);
    batch.similarity = shifted;
    CHECK(evaluate(triplet{.margin = 0.3, .mine = mine}, batch) == value);
  }
}

TEST_CASE("triplet writes what outputs asks for and nothing else") {
  std::mt19937_64 random(5);
  const std::size_t rows = 4;
  const std::size_t columns = 3;
  const std::size_t stride = 5;
  const auto s = support::numbers<double>(random, rows * stride);
  const std::vector<std::uint8_t> matches{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0};
  const similarity_batch<double> batch{
      .similarity = s, .rows = rows, .columns = columns, .stride = stride, .matches = matches};
  std::vector<double> plain(rows * stride, 9.0);
  const double value = evaluate(triplet{}, batch, {.gradient = plain});
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = columns; j < stride; ++j) CHECK(plain[i * stride + j] == 9.0);

  std::vector<double> added(rows * stride, 2.0);
  CHECK(evaluate(triplet{}, batch, {.gradient = added, .scale = -3.0, .update = rankloss::update::add}) ==
        value);
  std::vector<float> narrow(rows * stride);
  evaluate(triplet{}, batch, {.gradient = narrow});
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t k = i * stride + j;
      CHECK(added[k] == Approx(2.0 - 3.0 * plain[k]));
      CHECK(static_cast<double>(narrow[k]) == Approx(plain[k]).epsilon(1e-6));
    }
}

TEST_CASE("triplet weighs queries") {
  const auto s = peers::similarity();
  const std::vector<float> rows{1, 0, 2, 5};
  const std::vector<double> columns{0, 0, 0, 3};
  const similarity_batch<double> batch{
      .similarity = s, .rows = 4, .columns = 4, .row_weights = rows, .column_weights = columns};
  const auto q = plain_queries(triplet{}, s, 4, 4, [](std::size_t i, std::size_t j) { return i == j; });
  CHECK(evaluate(triplet{}, batch) ==
        Approx(0.5 * (q[0] + 2 * q[2] + 5 * q[3]) / 8 + 0.5 * q[7]).epsilon(1e-14));
}

TEST_CASE("triplet gives the same bits on any number of threads, and its scratch stops growing") {
  std::mt19937_64 random(6);
  const std::size_t n = 150;
  const auto s = support::numbers<float>(random, n * n);
  const auto classes = support::whole_numbers<int>(random, n, 3);
  const similarity_batch<float> batch{
      .similarity = s, .rows = n, .columns = n, .row_classes = classes, .column_classes = classes};
  for (const mining mine : {mining::hardest, mining::all}) {
    std::vector<float> alone(n * n);
    const double value = evaluate(triplet{.mine = mine}, batch, {.gradient = alone});
    for (const std::size_t workers : {1u, 2u, 7u}) {
      rankloss::context context{rankloss::threads(workers)};
      std::vector<float> gradient(n * n);
      CHECK(evaluate(triplet{.mine = mine}, batch, {.gradient = gradient}, context) == value);
      CHECK(gradient == alone);
      const std::size_t held = context.scratch_capacity();
      if (workers > 1) continue;
      CHECK(evaluate(triplet{.mine = mine}, batch, {.gradient = gradient}, context) == value);
      CHECK(context.scratch_capacity() == held);
      CHECK(held < n * n * sizeof(float) * 2);
    }
  }
}

TEST_CASE("triplet names what does not fit, before it writes") {
  const std::vector<double> s{1, 2, 3, 4, 5, 6};
  std::vector<double> gradient(6, 9.0);
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 3};
  CHECK_THROWS_WITH(
      evaluate(triplet{}, batch, {.gradient = gradient}),
      "rankloss: matches: none given for 2 rows and 3 columns, expected a square matrix, extra_columns, matches or classes");
  const std::vector<std::uint8_t> matches(6, 1);
  batch.matches = matches;
  CHECK_THROWS_WITH(evaluate(triplet{.margin = -0.1}, batch, {.gradient = gradient}),
                    "rankloss: margin: -0.1, expected a finite number >= 0");
  CHECK_THROWS_WITH(evaluate(triplet{.margin = infinity}, batch, {.gradient = gradient}),
                    "rankloss: margin: inf, expected a finite number >= 0");
  CHECK_THROWS_WITH(evaluate(triplet{.margin = std::nan("")}, batch, {.gradient = gradient}),
                    "rankloss: margin: nan, expected a finite number >= 0");
  CHECK_THROWS_WITH(evaluate(triplet{}, batch, {.gradient = gradient, .hessian = gradient}),
                    "rankloss: hessian: this loss has none, expected an empty output");
  std::vector<double> few(4);
  CHECK_THROWS_WITH(evaluate(triplet{}, batch, {.gradient = gradient, .per_list = few}),
                    "rankloss: per_list: size 4, expected 5 (rows, then columns)");
  auto bad = s;
  bad[5] = std::nan("");
  batch.similarity = bad;
  CHECK_THROWS_WITH(evaluate(triplet{}, batch, {.gradient = gradient}),
                    "rankloss: similarity: nan at row 1, column 2, expected a number");
  CHECK(gradient == std::vector<double>(6, 9.0));

  // Whatever comes of NaN when the host vouches for its data, nothing else is touched.
  rankloss::context unchecked{rankloss::data_checks::off};
  for (const mining mine : {mining::hardest, mining::all})
    CHECK_NOTHROW(evaluate(triplet{.mine = mine}, batch, {.gradient = gradient}, unchecked));
}

// Which triplets are mined, what they cost and what the mean is over.

constexpr mining every_mining[] = {mining::hardest,       mining::all,
                                   mining::semi_hard,     mining::semi_hard_or_easiest,
                                   mining::all_semi_hard, mining::distance_weighted};
constexpr rankloss::distance every_distance[] = {rankloss::distance::cosine, rankloss::distance::euclidean,
                                                 rankloss::distance::squared_euclidean};

/// Calls visit(loss) with every way to mine, form, mean and distance.
template <class Visit>
void for_each_loss(double margin, const Visit& visit) {
  for (const mining mine : every_mining)
    for (const auto positives : {mined_positives::all, mined_positives::hardest, mined_positives::easiest})
      for (const auto form : {triplet_form::hinge, triplet_form::soft})
        for (const auto average :
             {triplet_average::positives, triplet_average::triplets, triplet_average::active})
          for (const auto distance : every_distance)
            visit(triplet{.margin = margin,
                          .mine = mine,
                          .positives = positives,
                          .form = form,
                          .average = average,
                          .distance = distance,
                          .dimension = 6});
}

std::string name_of(const triplet& loss) {
  std::string text;
  rankloss::for_each_option(loss, [&](std::string_view name, const auto& field, const auto&) {
    text += std::string(name) + "=" + std::to_string(static_cast<double>(field)) + " ";
  });
  return text;
}

TEMPLATE_TEST_CASE("triplet is its formula, however triplets are mined", "", float, double) {
  std::mt19937_64 random(11);
  const double digits = std::is_same_v<TestType, float> ? 3e-7 : 1e-12;
  // Few positives and many, cosines that are distinct or on a grid with ties.
  for (const std::size_t n : {3u, 9u, 33u, 120u, 330u})
    for (const bool ties : {false, true}) {
      std::vector<TestType> s;
      std::vector<bool> positive;
      std::vector<TestType> relevance;
      for (std::size_t i = 0; i < n; ++i) {
        const double u = std::uniform_real_distribution<double>(-0.98, 0.98)(random);
        s.push_back(static_cast<TestType>(ties ? std::round(u * 8) / 8 : u));
        positive.push_back(i == 0 || (i > 1 && random() % 2 == 0));
        relevance.push_back(positive.back() ? TestType{1} : TestType{0});
      }
      for_each_loss(0.31, [&](const triplet& loss) {
        const auto expected = reference::triplet(loss, reference::widen(s), positive).result;
        std::vector<TestType> gradient(n, TestType{7});
        const double value =
            evaluate(loss, rankloss::list_batch<TestType>{.scores = s, .relevance = relevance},
                     {.gradient = gradient});
        const double right = static_cast<double>(expected.value);
        double worst = std::max(std::abs(value - right) / (1.0 + right) - 1e-13, 0.0);
        double largest = 0.1;
        for (const auto g : expected.gradient) largest = std::max(largest, std::abs(static_cast<double>(g)));
        for (std::size_t i = 0; i < n; ++i)
          worst = std::max(
              worst, std::abs(static_cast<double>(gradient[i]) - static_cast<double>(expected.gradient[i])) /
                         largest);
        INFO(n << (ties ? " with ties " : " ") << name_of(loss));
        CHECK(worst < digits);
      });
    }
}

/// The triplets (query, positive, negative) with a loss above 0, from the slopes of one pair at a time: those
/// of embeddings with themselves.
std::vector<std::vector<int>> triplets_of(const triplet& loss, const std::vector<double>& s) {
  std::vector<std::vector<int>> found;
  const std::size_t n = peers::embeddings;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<reference::real> scores;
    std::vector<bool> positive;
    std::vector<int> items;
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      scores.push_back(s[i * n + j]);
      positive.push_back(peers::embedding_classes[i] == peers::embedding_classes[j]);
      items.push_back(static_cast<int>(j));
    }
    for (const auto& t : reference::mined_triplets(loss, scores, positive))
      found.push_back({static_cast<int>(i), items[t.positive], items[t.negative]});
  }
  return found;
}

TEST_CASE("triplet takes the triplets of pytorch-metric-learning's miners") {
  const std::vector<double> s = peers::embedding_cosines();
  const auto expect = [&](const triplet& loss, const std::vector<int>& anchors,
                          const std::vector<int>& positives, const std::vector<int>& negatives) {
    auto found = triplets_of(loss, s);
    std::sort(found.begin(), found.end());
    std::vector<std::vector<int>> expected;
    for (std::size_t k = 0; k < anchors.size(); ++k)
      expected.push_back({anchors[k], positives[k], negatives[k]});
    std::sort(expected.begin(), expected.end());
    CHECK(found == expected);
  };
  // TripletMarginMiner(type_of_triplets="semihard") and BatchHardMiner, of Euclidean distances.
  expect({.margin = 0.2, .mine = mining::all_semi_hard, .distance = rankloss::distance::euclidean},
         {0, 1, 3, 3, 5, 5}, {1, 2, 4, 4, 4, 4}, {3, 3, 0, 2, 0, 2});
  expect({.margin = 0.2,
          .mine = mining::hardest,
          .positives = mined_positives::hardest,
          .distance = rankloss::distance::euclidean},
         {0, 1, 2, 3, 4, 5}, {2, 0, 0, 5, 5, 3}, {3, 4, 4, 1, 2, 2});
}

TEST_CASE("triplet: semi-hard negatives, and what a positive without one has") {
  // Positives 0.5 and 0.2 and 0.1; negatives 0.6, 0.4, 0.4 and 0.15.
  const std::vector<double> s{0.5, 0.2, 0.1, 0.6, 0.4, 0.4, 0.15};
  const std::vector<std::uint8_t> positive{1, 1, 1, 0, 0, 0, 0};
  double value = 0.0;
  const auto check = [&](const triplet& loss, double expected, const std::vector<double>& slopes) {
    const auto g = query_gradient(loss, s, positive, &value);
    CHECK(value == Approx(expected));
    for (std::size_t i = 0; i < g.size(); ++i) CHECK(g[i] == Approx(slopes[i]).margin(1e-15));
  };
  const double third = 1.0 / 3;
  // 0.5 has 0.4, which two items share; 0.2 has 0.15; 0.1 has none, or the easiest, 0.15.
  check({.mine = mining::semi_hard}, (0.1 + 0.15) / 3, {-third, -third, 0, 0, third / 2, third / 2, third});
  check({.mine = mining::semi_hard, .average = triplet_average::active}, 0.125,
        {-0.5, -0.5, 0, 0, 0.25, 0.25, 0.5});
  check({.mine = mining::semi_hard_or_easiest}, (0.1 + 0.15 + 0.25) / 3,
        {-third, -third, -third, 0, third / 2, third / 2, 2 * third});
  // All within the margin: 0.5 has both at 0.4, 0.2 has 0.15.
  check({.mine = mining::all_semi_hard, .average = triplet_average::triplets}, (0.1 + 0.1 + 0.15) / 3,
        {-2 * third, -third, 0, 0, third, third, third});
  // Easy positives and batch-hard.
  check({.mine = mining::semi_hard, .positives = mined_positives::easiest}, 0.1, {-1, 0, 0, 0, 0.5, 0.5, 0});
  check({.positives = mined_positives::easiest}, 0.3, {-1, 0, 0, 1, 0, 0, 0});
  check({.positives = mined_positives::hardest}, 0.7, {0, 0, -1, 1, 0, 0, 0});
}

TEST_CASE("triplet: equally hard positives share the slope equally") {
  const auto g =
      query_gradient({.positives = mined_positives::hardest}, {0.25, 0.5, 0.25, 0.375}, {1, 1, 1, 0});
  CHECK(g == std::vector<double>{-0.5, 0, -0.5, 1});
}

TEST_CASE("triplet: the mean over active triplets counts what costs anything") {
  const std::vector<double> s{0.5, 0.9, 0.375, 0.4};
  const std::vector<std::uint8_t> positive{1, 1, 0, 0};
  const auto value = [&](triplet_average average) {
    double v = 0.0;
    query_gradient({.mine = mining::all, .average = average}, s, positive, &v);
    return v;
  };
  const double sum = 0.075 + 0.1;  // of 0.5 with either; 0.9 is clear of both
  CHECK(value(triplet_average::positives) == Approx(sum / 2));
  CHECK(value(triplet_average::triplets) == Approx(sum / 4));
  CHECK(value(triplet_average::active) == Approx(sum / 2));
  double none = 1.0;
  CHECK(query_gradient({.mine = mining::all, .average = triplet_average::active}, {0.9, 0.1}, {1, 0},
                       &none) == std::vector<double>{0, 0});
  CHECK(none == 0.0);
}

TEST_CASE("triplet: soft margins") {
  double value = 0.0;
  const auto g = query_gradient({.margin = 0.0, .form = triplet_form::soft}, {0.5, 0.5}, {1, 0}, &value);
  CHECK(value == Approx(std::log(2.0)));
  CHECK(g == std::vector<double>{-0.5, 0.5});
  // Far from the margin nothing overflows, and small costs keep their digits.
  for (const mining mine : {mining::hardest, mining::all, mining::semi_hard_or_easiest}) {
    const triplet loss{.margin = 1.0, .mine = mine, .form = triplet_form::soft};
    query_gradient(loss, {51.0, 0.0}, {1, 0}, &value);
    CHECK(value == Approx(std::exp(-50.0)).epsilon(1e-13));
    const auto slopes = query_gradient(loss, {-1e4, 0.0}, {1, 0}, &value);
    CHECK(value == 10001.0);
    CHECK(slopes == std::vector<double>{-1, 1});
    query_gradient(loss, {-1e300, 1e300}, {1, 0}, &value);
    CHECK(value == 1e290);
  }
}

TEST_CASE("triplet: chances by distance are held constant, and the gradient is that of their mean") {
  // Distances 0.3 (counted as 0.5), 0.8, 1.2 and 1.5 (never drawn) of the negatives.
  const auto cosine = [](double d) { return 1.0 - d * d / 2; };
  const std::vector<double> s{cosine(1.0), cosine(0.3), cosine(0.8), cosine(1.2), cosine(1.5)};
  const std::vector<std::uint8_t> positive{1, 0, 0, 0, 0};
  const auto weight = [](double d) { return std::pow(d, -6.0) * std::pow(1 - d * d / 4, -2.5); };
  const double sum = weight(0.5) + weight(0.8) + weight(1.2);
  const triplet loss{.margin = 0.25,
                     .mine = mining::distance_weighted,
                     .distance = rankloss::distance::euclidean,
                     .dimension = 8};
  double value = 0.0;
  const auto g = query_gradient(loss, s, positive, &value);
  CHECK(value == Approx((weight(0.5) * 0.95 + weight(0.8) * 0.45 + weight(1.2) * 0.05) / sum).epsilon(1e-13));
  CHECK(g[0] == Approx(-1.0));
  CHECK(g[1] == Approx(weight(0.5) / sum / 0.3).epsilon(1e-12));
  CHECK(g[2] == Approx(weight(0.8) / sum / 0.8).epsilon(1e-12));
  CHECK(g[3] == Approx(weight(1.2) / sum / 1.2).epsilon(1e-12));
  CHECK(g[4] == 0.0);

  // Without a negative that may be drawn there is no triplet, and large dimensions are no harm.
  CHECK(query_gradient(loss, {0.5, -0.5}, {1, 0}, &value) == std::vector<double>{0, 0});
  CHECK(value == 0.0);
  triplet wide = loss;
  wide.dimension = std::size_t{1} << 24;
  query_gradient(wide, s, positive, &value);
  CHECK(value == Approx(0.95).epsilon(1e-12));
}

TEST_CASE("triplet with infinite scores, however triplets are mined") {
  for_each_loss(0.5, [](const triplet& loss) {
    INFO(name_of(loss));
    double value = 0.0;
    // A negative of -infinity is absent, a positive of infinity costs nothing.
    const auto g = query_gradient(loss, {0.5, -infinity, 0.25}, {1, 0, 0}, &value);
    CHECK(g[1] == 0.0);
    double without = 0.0;
    const auto h = query_gradient(loss, {0.5, 0.25}, {1, 0}, &without);
    CHECK(value == without);
    CHECK(g[0] == h[0]);
    CHECK(query_gradient(loss, {0.5, -infinity}, {1, 0}, &value) == std::vector<double>{0, 0});
    CHECK(value == 0.0);
    if (loss.distance == rankloss::distance::euclidean) return;  // infinity is as far as 1
    CHECK(query_gradient(loss, {infinity, 0.25}, {1, 0}, &value) == std::vector<double>{0, 0});
    CHECK(value == 0.0);
    if (loss.mine != mining::hardest && loss.mine != mining::all) return;
    const auto k = query_gradient(loss, {infinity, 0.0}, {0, 1}, &value);
    CHECK(value == infinity);
    CHECK(k[0] > 0.0);
    CHECK(k[1] < 0.0);
  });
}

TEST_CASE("triplet at the ends of a double, however triplets are mined") {
  constexpr double most = std::numeric_limits<double>::max();
  for_each_loss(most, [](const triplet& loss) {
    INFO(name_of(loss));
    for (const std::size_t positives : {std::size_t{1}, std::size_t{40}}) {
      std::vector<double> s(positives + 3, -most);
      std::vector<std::uint8_t> positive(s.size(), 1);
      for (std::size_t i = positives; i < s.size(); ++i) {
        s[i] = i % 2 == 0 ? most : -most;
        positive[i] = 0;
      }
      double value = 0.0;
      const auto g = query_gradient(loss, s, positive, &value);
      CHECK(std::isfinite(value));
      CHECK(std::all_of(g.begin(), g.end(), [](double x) { return std::isfinite(x); }));
    }
  });
}

TEST_CASE("triplet names options that do not go together") {
  const std::vector<double> s{1, 2};
  const std::vector<double> y{1, 0};
  const rankloss::list_batch<double> batch{.scores = s, .relevance = y};
  CHECK_THROWS_WITH(
      evaluate(triplet{.mine = mining::distance_weighted}, batch),
      "rankloss: dimension: 0, expected that of the embeddings, 2 or more, with distance_weighted");
  CHECK_THROWS_WITH(
      evaluate(triplet{.mine = mining::distance_weighted, .dimension = 8, .least_distance = 1.5}, batch),
      "rankloss: least_distance: 1.5, expected less than most_distance 1.4");
  CHECK_THROWS_WITH(evaluate(triplet{.most_distance = 2.5}, batch),
                    "rankloss: most_distance: 2.5, expected 1e-06 to 2");
}

}  // namespace

}  // namespace triplet_test
