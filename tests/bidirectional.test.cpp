// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>

#include <rankloss/sndcg.hpp>

#include "support/peer_retrieval.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace bidirectional_test {

namespace {

using rankloss::bidirectional;
using rankloss::column_relevance;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::reduction;
using rankloss::similarity_batch;
using rankloss::sndcg;

using reals = std::vector<double>;

static_assert(rankloss::similarity_loss<bidirectional<sndcg>, float>);
static_assert(!rankloss::ranking_loss<bidirectional<sndcg>, float>);
static_assert(bidirectional<sndcg>::has_hessian && bidirectional<sndcg>::has_gradient);

/// What a loop over rows and columns gives, one list at a time.
struct looped {
  double value = 0.0;
  reals gradient, hessian, per_list;
};

/// `row_grades` and `column_grades`: [rows, columns], what rows and columns are ranked by.
looped loop(const sndcg& loss, const similarity_batch<double>& batch, const reals& row_grades,
            const reals& column_grades) {
  const std::size_t rows = batch.rows;
  const std::size_t columns = batch.columns;
  const std::size_t stride = batch.stride > 0 ? batch.stride : columns;
  looped sum;
  sum.gradient.resize(rows * columns);
  sum.hessian.resize(rows * columns);
  for (const bool by_column : {false, true}) {
    const std::size_t lists = by_column ? columns : rows;
    const std::size_t n = by_column ? rows : columns;
    const auto& weights = by_column ? batch.column_weights : batch.row_weights;
    const auto& grades = by_column ? column_grades : row_grades;
    const auto weight = [&](std::size_t l) { return weights.empty() ? 1.0 : weights[l]; };
    const auto pair = [&](std::size_t l, std::size_t k, std::size_t step) {
      return by_column ? k * step + l : l * step + k;
    };
    double total = 0.0;
    for (std::size_t l = 0; l < lists; ++l) {
      bool counts = batch.reduction != reduction::mean_of_relevant;
      for (std::size_t k = 0; k < n; ++k) counts = counts || grades[pair(l, k, columns)] > 0.0;
      if (counts) total += weight(l);
    }
    const double share = batch.reduction == reduction::sum ? 1.0 : total > 0.0 ? 0.5 / total : 0.0;
    for (std::size_t l = 0; l < lists; ++l) {
      reals s, y, g(n), h(n);
      for (std::size_t k = 0; k < n; ++k) {
        s.push_back(batch.similarity[pair(l, k, stride)]);
        y.push_back(grades[pair(l, k, columns)]);
      }
      const double value =
          evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g, .hessian = h});
      sum.per_list.push_back(value);
      sum.value += share * weight(l) * value;
      for (std::size_t k = 0; k < n; ++k) {
        sum.gradient[pair(l, k, columns)] += share * weight(l) * g[k];
        sum.hessian[pair(l, k, columns)] += share * weight(l) * h[k];
      }
    }
  }
  return sum;
}

/// A matrix and all that it may be ranked by.
struct sample {
  std::size_t rows, columns, stride;
  reals s, relevance, column_relevance, row_weights, column_weights;
  std::vector<std::uint8_t> matches;
  std::vector<std::int64_t> row_classes;
  std::vector<std::uint32_t> column_classes;

  sample(std::mt19937_64& random, std::size_t m, std::size_t n, std::size_t gap)
      : rows(m),
        columns(n),
        stride(n + gap),
        s(support::numbers<double>(random, m * (n + gap))),
        relevance(support::whole_numbers<double>(random, m * n, 4)),
        column_relevance(support::whole_numbers<double>(random, m * n, 3)),
        row_weights(support::whole_numbers<double>(random, m, 3)),
        column_weights(support::whole_numbers<double>(random, n, 4)),
        matches(support::whole_numbers<std::uint8_t>(random, m * n, 2)),
        row_classes(support::whole_numbers<std::int64_t>(random, m, 5)),
        column_classes(support::whole_numbers<std::uint32_t>(random, n, 5)) {}

  [[nodiscard]] similarity_batch<double> plain() const {
    return {.similarity = s, .rows = rows, .columns = columns, .stride = stride};
  }
};

void check_against_loop(const bidirectional<sndcg>& loss, const similarity_batch<double>& batch,
                        const reals& row_grades, const reals& column_grades) {
  const looped expected = loop(loss.loss, batch, row_grades, column_grades);
  reals gradient(batch.similarity.size(), 7.0), hessian(gradient), per_list(batch.rows + batch.columns);
  const double value =
      evaluate(loss, batch, {.gradient = gradient, .per_list = per_list, .hessian = hessian});
  CHECK(value == Approx(expected.value).epsilon(1e-13).margin(1e-15));
  for (std::size_t l = 0; l < per_list.size(); ++l)
    CHECK(per_list[l] == Approx(expected.per_list[l]).epsilon(1e-13).margin(1e-15));
  const auto largest = [](const reals& values) {
    double most = 0.0;
    for (const double x : values) most = std::max(most, std::abs(x));
    return most;
  };
  const double g = 1e-12 * largest(expected.gradient);
  const double h = 1e-11 * largest(expected.hessian);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < batch.rows; ++i)
    for (std::size_t j = 0; j < batch.stride; ++j) {
      const std::size_t at = i * batch.stride + j;
      const std::size_t pair = i * batch.columns + j;
      if (j >= batch.columns)
        wrong += gradient[at] != 7.0 || hessian[at] != 7.0;
      else
        wrong += !(std::abs(gradient[at] - expected.gradient[pair]) <= g) ||
                 !(std::abs(hessian[at] - expected.hessian[pair]) <= h);
    }
  CHECK(wrong == 0);
}

TEST_CASE("bidirectional is a loop over rows and columns") {
  std::mt19937_64 random(1);
  const bidirectional<sndcg> loss{sndcg{.temperature = 0.1}};
  const std::pair<std::size_t, std::size_t> shapes[] = {{1, 1}, {1, 6}, {6, 6}, {9, 4}, {20, 33}, {310, 7}};
  for (const auto& [rows, columns] : shapes)
    for (const reduction how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
      INFO(rows << " x " << columns << ", reduction " << static_cast<int>(how));
      const sample data(random, rows, columns, 3);
      auto batch = data.plain();
      batch.reduction = how;

      // Without relevance: by what matches.
      reals grades(rows * columns);
      for (std::size_t i = 0; i < rows && rows == columns; ++i) grades[i * columns + i] = 1.0;
      if (rows == columns) check_against_loop(loss, batch, grades, grades);
      batch.row_classes = data.row_classes;
      batch.column_classes = data.column_classes;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          grades[i * columns + j] =
              data.row_classes[i] == static_cast<std::int64_t>(data.column_classes[j]) ? 1.0 : 0.0;
      check_against_loop(loss, batch, grades, grades);
      batch.matches = data.matches;  // comes before classes
      grades.assign(data.matches.begin(), data.matches.end());
      check_against_loop(loss, batch, grades, grades);

      // Relevance comes before matches; columns may have their own.
      batch.relevance = data.relevance;
      batch.row_weights = data.row_weights;
      check_against_loop(loss, batch, data.relevance, data.relevance);
      batch.column_weights = data.column_weights;
      batch.column_relevance = data.column_relevance;
      check_against_loop(loss, batch, data.relevance, data.column_relevance);
    }
}

TEST_CASE("bidirectional by the relevance of rows takes row j of R for column j") {
  std::mt19937_64 random(2);
  const std::size_t n = 12;
  const sample data(random, n, n, 1);
  auto batch = data.plain();
  batch.relevance = data.relevance;
  reals transposed(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) transposed[i * n + j] = data.relevance[j * n + i];
  const sndcg by{.temperature = 0.1};
  check_against_loop({by, column_relevance::of_rows}, batch, data.relevance, transposed);
  CHECK(evaluate(bidirectional<sndcg>{by, column_relevance::of_rows}, batch) !=
        evaluate(bidirectional<sndcg>{by}, batch));

  // The same, asked for in the right form.
  auto spelled = batch;
  spelled.column_relevance = transposed;
  CHECK(evaluate(bidirectional<sndcg>{by}, spelled) ==
        evaluate(bidirectional<sndcg>{by, column_relevance::of_rows}, batch));

  // Where R is symmetric both forms are one.
  reals symmetric(n * n);
  for (std::size_t k = 0; k < n * n; ++k) symmetric[k] = data.relevance[k] + transposed[k];
  batch.relevance = symmetric;
  reals own(data.s.size()), of_rows(own);
  CHECK(evaluate(bidirectional<sndcg>{by, column_relevance::of_rows}, batch, {.gradient = of_rows}) ==
        evaluate(bidirectional<sndcg>{by}, batch, {.gradient = own}));
  CHECK(own == of_rows);
}

/// The listwise part of the published loss, in the numbers that all six of its recorded cases are made of:
/// value and the NDCG of either direction. Together with the triplet part they are checked in
/// weighted_sum.test.cpp.
struct listwise_case {
  double temperature;
  const peers::expected& expected;
  double ndcg_of_rows, ndcg_of_columns;
};

TEST_CASE("bidirectional S-NDCG agrees with Listwise_ITR") {
  const auto relevance = peers::relevance();
  const auto s = peers::similarity();
  const similarity_batch<double> batch{
      .similarity = s, .rows = peers::pairs, .columns = peers::pairs, .relevance = relevance};
  const listwise_case cases[] = {{0.01, peers::sndcg_001, 0.928524196, 0.931051672},
                                 {0.1, peers::sndcg_01, 0.901390254, 0.893438518}};
  for (const listwise_case& c : cases) {
    INFO("temperature " << c.temperature);
    const sndcg by{.temperature = c.temperature, .ideal = rankloss::ideal::competition_ranks};
    reals gradient(s.size());
    reals per_list(2 * peers::pairs);
    const double value = evaluate(bidirectional<sndcg>{by, column_relevance::of_rows}, batch,
                                  {.gradient = gradient, .per_list = per_list});
    CHECK(value == Approx(c.expected.value).epsilon(1e-6));
    const auto mean = [&](std::size_t first) {
      const auto begin = per_list.begin() + static_cast<std::ptrdiff_t>(first);
      return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(peers::pairs), 0.0) /
             static_cast<double>(peers::pairs);
    };
    CHECK(1.0 - mean(0) == Approx(c.ndcg_of_rows).epsilon(1e-6));
    CHECK(1.0 - mean(peers::pairs) == Approx(c.ndcg_of_columns).epsilon(1e-6));
    peers::check_gradient(gradient, c.expected);
    // Their relevance is not symmetric, so the right form is another number.
    CHECK(evaluate(bidirectional<sndcg>{by}, batch) != Approx(c.expected.value).epsilon(1e-4));
  }
}

TEST_CASE("bidirectional of an empty matrix is 0") {
  const bidirectional<sndcg> loss{};
  CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
  reals per_list(4, 7.0);
  const std::vector<int> classes{0, 1, 2, 3};
  CHECK(
      evaluate(loss,
               similarity_batch<double>{.similarity = {}, .rows = 0, .columns = 4, .column_classes = classes},
               {.per_list = per_list}) == 0.0);
  CHECK(per_list == reals(4, 0.0));
  per_list.assign(4, 7.0);
  CHECK(evaluate(loss,
                 similarity_batch<double>{.similarity = {}, .rows = 4, .columns = 0, .row_classes = classes},
                 {.per_list = per_list}) == 0.0);
  CHECK(per_list == reals(4, 0.0));
}

TEST_CASE("bidirectional names what does not fit, before it writes") {
  const reals s{1, 2, 3, 4, 5, 6};
  reals gradient(6, 9.0);
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 3};
  CHECK_THROWS_WITH(
      evaluate(bidirectional<sndcg>{}, batch, {.gradient = gradient}),
      "rankloss: matches: none given for 2 rows and 3 columns, expected a square matrix, extra_columns, matches or classes");
  batch.relevance = s;
  CHECK_THROWS_WITH(
      evaluate(bidirectional<sndcg>{{}, column_relevance::of_rows}, batch, {.gradient = gradient}),
      "rankloss: columns_by: of_rows for 2 rows and 3 columns, expected a square matrix");
  CHECK_THROWS_WITH(evaluate(bidirectional<sndcg>{sndcg{.temperature = -1.0}}, batch, {.gradient = gradient}),
                    "rankloss: loss.temperature: -1, expected 1e-15 to 1e300");
  CHECK(gradient == reals(6, 9.0));
  CHECK(evaluate(bidirectional<sndcg>{}, batch, {.gradient = gradient}) > 0.0);
}

TEST_CASE("bidirectional refuses gains below 0 by row and column, in what is read") {
  const reals s{1, 2, 3, 4}, y{1, 0, -1, 2}, mild{1, 0, 0.5, 2};
  reals gradient(4, 9.0);
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 2, .relevance = y};
  CHECK_THROWS_WITH(
      evaluate(bidirectional<sndcg>{}, batch, {.gradient = gradient}),
      "rankloss: relevance: -1 at row 1, column 0, expected at least 0; pairs without judgement are left out by the mask, or 0");
  batch.relevance = mild;
  batch.column_relevance = y;
  CHECK_THROWS_WITH(
      evaluate(bidirectional<sndcg>{}, batch, {.gradient = gradient}),
      "rankloss: column_relevance: -1 at row 1, column 0, expected at least 0; pairs without judgement are left out by the mask, or 0");
  CHECK(gradient == reals(4, 9.0));
  const reals table{0, 1, 2};
  CHECK(evaluate(bidirectional<sndcg>{{.gain = rankloss::gain::table, .gain_table = table}}, batch) > 0.0);
  rankloss::context unchecked;
  unchecked.checks = rankloss::data_checks::off;
  CHECK(std::isfinite(evaluate(bidirectional<sndcg>{}, batch, {.gradient = gradient}, unchecked)));
  CHECK(std::all_of(gradient.begin(), gradient.end(), [](double x) { return std::isfinite(x); }));
}

}  // namespace

}  // namespace bidirectional_test
