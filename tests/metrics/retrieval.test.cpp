// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/retrieval.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace metrics_retrieval_test {

namespace {

using rankloss::evaluate;
using rankloss::similarity_batch;
using rankloss::metrics::retrieval;

TEST_CASE("retrieval of a matrix that can be counted by hand") {
  const std::vector<float> s{3, 1, 2,   // row 0: its column first
                             5, 4, 6,   // row 1: third
                             0, 2, 1};  // row 2: second
  const auto found =
      retrieval<2>{.cutoffs = {1, 2}}(similarity_batch<float>{.similarity = s, .rows = 3, .columns = 3});
  CHECK(found.rows.recall[0] == Approx(1.0 / 3.0));
  CHECK(found.rows.recall[1] == Approx(2.0 / 3.0));
  CHECK(found.rows.median_rank == 2.0);
  CHECK(found.rows.mean_rank == Approx(2.0));
  CHECK(found.rows.queries == 3);
  // columns: 3 below 5, so second; 4 first; 1 below 2 and 6, so third
  CHECK(found.columns.recall[0] == Approx(1.0 / 3.0));
  CHECK(found.columns.recall[1] == Approx(2.0 / 3.0));
  CHECK(found.columns.median_rank == 2.0);
  CHECK(found.columns.mean_rank == Approx(2.0));
  CHECK(found.rsum == Approx(200.0));
}

TEST_CASE("retrieval: pairs that are left out neither match nor stand in the way") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr std::size_t n = 11;
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (const bool by_columns : {false, true})
    for (const bool without_diagonal : {false, true}) {
      std::vector<double> s(n * n), as_far(n * n);
      std::vector<std::uint8_t> mask(n * n), matches(n * n), left(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          const std::size_t at = by_columns ? j * n + i : i * n + j;
          mask[at] = random() % 3 > 0;
          matches[at] = random() % 3 == 0;
          const bool kept = mask[at] && !(without_diagonal && i == j);
          left[at] = matches[at] && kept;
          // What is left out may hold anything: nothing that can be compared, or what would be above all others.
          s[at] = kept ? normal(random) : random() % 2 > 0 ? std::numeric_limits<double>::quiet_NaN() : 1e9;
          as_far[at] = kept ? s[at] : -infinity;
        }
      const auto field = [&](const auto& values) {
        return by_columns ? rankloss::matrix_view(values.data(), n, n, 1, n)
                          : rankloss::matrix_view(values.data(), n, n, n, 1);
      };
      const auto found = retrieval{}(similarity_batch<double>{.similarity = field(s),
                                                              .matches = field(matches),
                                                              .mask = field(mask),
                                                              .without_diagonal = without_diagonal});
      const auto expected =
          retrieval{}(similarity_batch<double>{.similarity = field(as_far), .matches = field(left)});
      CHECK(found.rsum == expected.rsum);
      CHECK(found.rows.mean_rank == expected.rows.mean_rank);
      CHECK(found.columns.mean_rank == expected.columns.mean_rank);
      CHECK(found.columns.queries == expected.columns.queries);
    }
}

TEST_CASE("retrieval counts by default as the literature does") {
  std::vector<double> s(12 * 12);
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < 12; ++j)
      s[i * 12 + j] = -static_cast<double>(j);  // row i finds its column at rank i + 1
  const auto found = retrieval{}(similarity_batch<double>{.similarity = s, .rows = 12, .columns = 12});
  CHECK(found.rows.recall[0] == Approx(1.0 / 12.0));
  CHECK(found.rows.recall[1] == Approx(5.0 / 12.0));
  CHECK(found.rows.recall[2] == Approx(10.0 / 12.0));
  CHECK(found.rows.median_rank == 6.5);
  CHECK(found.rows.mean_rank == Approx(6.5));
  // All scores of a column are equal: its row is found by chance.
  CHECK(found.columns.recall[0] == Approx(1.0 / 12.0));
  CHECK(found.columns.recall[1] == Approx(5.0 / 12.0));
  CHECK(found.columns.recall[2] == Approx(10.0 / 12.0));
  CHECK(found.columns.median_rank == 6.5);
  CHECK(found.columns.mean_rank == Approx(6.5));
  CHECK(found.rsum == Approx(2 * 1600.0 / 12.0));
}

/// What retrieval says, by the plain definition: every query sorts, and every order of equal scores counts.
struct query {
  std::vector<double> scores;
  std::vector<bool> matches;
  double weight;
};
template <std::size_t K>
typename retrieval<K>::direction plain(const std::vector<query>& queries,
                                       const std::array<std::size_t, K>& cutoffs) {
  typename retrieval<K>::direction out;
  std::vector<double> ranks;  // a query of weight w stands in w times: for whole weights
  for (const query& q : queries) {
    if (q.weight == 0.0 || std::none_of(q.matches.begin(), q.matches.end(), [](bool m) { return m; }))
      continue;
    ++out.queries;
    const auto first = [&](const auto& order) {
      std::size_t p = 0;
      while (!q.matches[order[p]]) ++p;
      return p + 1;
    };
    const double rank = support::mean_over_tied_orders(
        q.scores, [&](const auto& order) { return static_cast<double>(first(order)); });
    ranks.insert(ranks.end(), static_cast<std::size_t>(q.weight), rank);
    for (std::size_t c = 0; c < K; ++c)
      out.recall[c] += q.weight * support::mean_over_tied_orders(q.scores, [&](const auto& order) {
                         return first(order) <= cutoffs[c] ? 1.0 : 0.0;
                       });
  }
  if (ranks.empty()) return out;
  std::sort(ranks.begin(), ranks.end());
  for (double& r : out.recall) r /= static_cast<double>(ranks.size());
  for (const double r : ranks) out.mean_rank += r / static_cast<double>(ranks.size());
  out.median_rank = 0.5 * (ranks[(ranks.size() - 1) / 2] + ranks[ranks.size() / 2]);
  return out;
}

template <class Direction>
void check_same(const Direction& found, const Direction& expected) {
  CHECK(found.queries == expected.queries);
  CHECK(found.mean_rank == Approx(expected.mean_rank).epsilon(1e-13));
  CHECK(found.median_rank == Approx(expected.median_rank).epsilon(1e-13));
  for (std::size_t c = 0; c < found.recall.size(); ++c)
    CHECK(found.recall[c] == Approx(expected.recall[c]).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("retrieval is the plain definition over all orders of equal scores", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 25; ++round) {
    const std::size_t rows = 1 + random() % 6;
    const std::size_t columns = 1 + random() % 6;
    const std::size_t stride = columns + random() % 3;
    const auto s =
        support::whole_numbers<TestType>(random, rows * stride, 1 + static_cast<unsigned>(round) % 5);
    const auto by_flags = support::whole_numbers<std::uint8_t>(random, rows * columns, 2);
    const auto row_classes = support::whole_numbers<int>(random, rows, 3);
    const auto column_classes = support::whole_numbers<int>(random, columns, 3);
    const auto row_weights = support::whole_numbers<double>(random, rows, 4);
    const auto column_weights = support::whole_numbers<float>(random, columns, 4);
    const std::array<std::size_t, 4> cutoffs{1, 2, 3, 5};

    for (const char* how : {"flags", "classes", "position"}) {
      similarity_batch<TestType> batch{.similarity = s, .rows = rows, .columns = columns, .stride = stride};
      if (*how == 'f') batch.matches = by_flags;
      if (*how == 'c') batch.row_classes = row_classes, batch.column_classes = column_classes;
      if (*how == 'p' && rows != columns) continue;
      if (round % 2 == 1) batch.row_weights = row_weights, batch.column_weights = column_weights;
      const auto match = [&](std::size_t i, std::size_t j) {
        return *how == 'f'   ? by_flags[i * columns + j] != 0
               : *how == 'c' ? row_classes[i] == column_classes[j]
                             : i == j;
      };
      std::vector<query> by_row(rows);
      std::vector<query> by_column(columns);
      for (std::size_t i = 0; i < rows; ++i)
        by_row[i].weight = batch.row_weights.empty() ? 1.0 : row_weights[i];
      for (std::size_t j = 0; j < columns; ++j)
        by_column[j].weight = batch.column_weights.empty() ? 1.0 : static_cast<double>(column_weights[j]);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) {
          by_row[i].scores.push_back(static_cast<double>(s[i * stride + j]));
          by_row[i].matches.push_back(match(i, j));
          by_column[j].scores.push_back(static_cast<double>(s[i * stride + j]));
          by_column[j].matches.push_back(match(i, j));
        }

      INFO("matches by " << how << ", " << rows << " rows, " << columns << " columns");
      const auto found = retrieval<4>{.cutoffs = cutoffs}(batch);
      check_same(found.rows, plain(by_row, cutoffs));
      check_same(found.columns, plain(by_column, cutoffs));
      double sum = 0.0;
      for (std::size_t c = 0; c < 4; ++c) sum += 100.0 * (found.rows.recall[c] + found.columns.recall[c]);
      CHECK(found.rsum == Approx(sum).epsilon(1e-13));

      // The same by columns, and with strides both ways.
      for (const std::size_t apart : {1u, 3u}) {
        std::vector<TestType> turned(rows * columns * apart);
        std::vector<std::uint8_t> turned_flags(rows * columns);
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) {
            turned[(j * rows + i) * apart] = s[i * stride + j];
            turned_flags[j * rows + i] = by_flags[i * columns + j];
          }
        auto by_columns = batch;
        by_columns.similarity = rankloss::matrix_view(turned.data(), rows, columns, apart, rows * apart);
        by_columns.rows = by_columns.columns = by_columns.stride = 0;
        const auto again = retrieval<4>{.cutoffs = cutoffs}(by_columns);
        if (*how == 'f')
          by_columns.matches = rankloss::matrix_view(turned_flags.data(), rows, columns, 1, rows);
        CHECK(again.rsum == found.rsum);
        for (const auto& other : {again, retrieval<4>{.cutoffs = cutoffs}(by_columns)}) {
          CHECK(other.rows.recall == found.rows.recall);
          CHECK(other.columns.recall == found.columns.recall);
          CHECK(other.rows.mean_rank == found.rows.mean_rank);
          CHECK(other.columns.median_rank == found.columns.median_rank);
        }
      }
    }
  }
}

TEST_CASE("retrieval of a large matrix agrees with the list metrics, on any number of threads") {
  std::mt19937_64 random(2);
  const std::size_t rows = 150;
  const std::size_t columns = 1300;  // several chunks of columns, the last one not full
  const auto s = support::whole_numbers<float>(random, rows * columns, 200);
  std::vector<int> row_classes(rows);
  std::vector<int> column_classes(columns);
  for (std::size_t i = 0; i < rows; ++i) row_classes[i] = static_cast<int>(i);
  for (std::size_t j = 0; j < columns; ++j)
    column_classes[j] = static_cast<int>(j / 10);  // rows from 130 on match nothing
  const similarity_batch<float> batch{.similarity = s,
                                      .rows = rows,
                                      .columns = columns,
                                      .row_classes = row_classes,
                                      .column_classes = column_classes,
                                      .reduction = rankloss::reduction::mean_of_relevant};
  const auto found = retrieval{}(batch);
  CHECK(found.rows.queries == 130);
  CHECK(found.columns.queries == columns);

  std::vector<double> ranks(rows + columns);
  evaluate(rankloss::bidirectional<rankloss::metrics::first_rank>{}, batch, {.per_list = ranks});
  double sum = 0.0;
  for (std::size_t i = 0; i < rows; ++i) sum += ranks[i];
  CHECK(found.rows.mean_rank == Approx(sum / 130.0).epsilon(1e-12));
  for (std::size_t j = 0; j < columns; ++j) sum += ranks[rows + j];
  CHECK(found.columns.mean_rank == Approx((sum - 130.0 * found.rows.mean_rank) / columns).epsilon(1e-12));
  for (std::size_t c = 0; c < 3; ++c) {
    const rankloss::bidirectional<rankloss::metrics::hit> hits{{.cutoff = retrieval{}.cutoffs[c]}};
    CHECK(0.5 * (found.rows.recall[c] + found.columns.recall[c]) ==
          Approx(evaluate(hits, batch)).epsilon(1e-12));
  }

  std::vector<float> turned(rows * columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) turned[j * rows + i] = s[i * columns + j];
  auto by_columns = batch;
  by_columns.similarity = rankloss::matrix_view(turned.data(), rows, columns, 1, rows);
  by_columns.stride = 0;
  CHECK(retrieval{}(by_columns).rsum == found.rsum);
  CHECK(retrieval{}(by_columns).rows.mean_rank == found.rows.mean_rank);

  for (const std::size_t workers : {2u, 7u}) {
    rankloss::context context{rankloss::threads(workers)};
    for (int repeat = 0; repeat < 2; ++repeat) {
      const auto again = retrieval{}(batch, context);
      CHECK(again.rsum == found.rsum);
      CHECK(again.rows.mean_rank == found.rows.mean_rank);
      CHECK(again.rows.median_rank == found.rows.median_rank);
      CHECK(again.columns.recall == found.columns.recall);
      CHECK(again.columns.mean_rank == found.columns.mean_rank);
    }
  }
}

TEST_CASE("retrieval without queries is 0, not NaN") {
  const std::vector<double> s{1, 2, 3, 4};
  const std::vector<std::uint8_t> none(4, 0);
  const auto found =
      retrieval{}(similarity_batch<double>{.similarity = s, .rows = 2, .columns = 2, .matches = none});
  CHECK(found.rows.queries == 0);
  CHECK(found.rows.mean_rank == 0.0);
  CHECK(found.rows.median_rank == 0.0);
  CHECK(found.rsum == 0.0);
  const auto empty = retrieval{}(similarity_batch<double>{});
  CHECK(empty.columns.queries == 0);
  CHECK(empty.rsum == 0.0);
}

TEST_CASE("retrieval ranks infinite scores first and last") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> s{-infinity, infinity, 0,  //
                              -infinity, infinity, infinity};
  const std::vector<int> rows{0, 1};
  const std::vector<int> columns{0, 1, 1};
  const auto found = retrieval<1>{.cutoffs = {1}}(similarity_batch<double>{
      .similarity = s, .rows = 2, .columns = 3, .row_classes = rows, .column_classes = columns});
  CHECK(found.rows.mean_rank == Approx((3.0 + 1.0) / 2.0));
  CHECK(found.columns.mean_rank == Approx((1.5 + 1.5 + 1.0) / 3.0));
}

TEST_CASE("retrieval names what does not fit") {
  const std::vector<float> s(6, 0.0f);
  const similarity_batch<float> batch{.similarity = s, .rows = 2, .columns = 3};
  CHECK_THROWS_WITH(
      retrieval{}(batch),
      "rankloss: matches: none given for 2 rows and 3 columns, expected a square matrix, extra_columns, matches or classes");
  auto fitting = batch;
  const std::vector<std::uint8_t> matches(6, 1);
  fitting.matches = matches;
  CHECK_NOTHROW(retrieval{}(fitting));
  CHECK_THROWS_WITH((retrieval<2>{.cutoffs = {1, 0}}(fitting)),
                    "rankloss: cutoffs: 0 at 1, expected 1 or more");

  auto wrong = fitting;
  wrong.rows = 3;
  CHECK_THROWS_WITH(retrieval{}(wrong), "rankloss: similarity: size 6, expected 9 (rows 3 at stride 3)");
  wrong = fitting;
  const std::vector<std::uint8_t> few(5, 1);
  wrong.matches = few;
  CHECK_THROWS_WITH(retrieval{}(wrong), "rankloss: matches: size 5, expected 6 (2 rows of 3 columns)");
  wrong = fitting;
  const std::vector<double> weights{1, -1};
  wrong.row_weights = weights;
  CHECK_THROWS_WITH(retrieval{}(wrong), "rankloss: row_weights: -1 at row 1, expected a finite number >= 0");
  wrong = fitting;
  wrong.column_weights = weights;
  CHECK_THROWS_WITH(retrieval{}(wrong), "rankloss: column_weights: size 2, expected 3 (one per column)");
  wrong = fitting;
  auto bad = s;
  bad[4] = std::numeric_limits<float>::quiet_NaN();
  wrong.similarity = bad;
  CHECK_THROWS_WITH(retrieval{}(wrong), "rankloss: similarity: nan at row 1, column 1, expected a number");
  rankloss::context unchecked{rankloss::data_checks::off};
  CHECK_NOTHROW(retrieval{}(wrong, unchecked));
}

}  // namespace

}  // namespace metrics_retrieval_test
