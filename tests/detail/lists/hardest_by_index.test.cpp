// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/lists/hardest_by_index.hpp>

#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace detail_lists_hardest_by_index_test {

namespace {

using rankloss::directions;
using rankloss::outputs;
using rankloss::reduction;
using rankloss::similarity_batch;
using rankloss::triplet;
using rankloss::update;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

/// What a call gives.
template <class G>
struct result {
  double value = 0.0;
  std::vector<double> per_list;
  std::vector<G> gradient;

  bool operator==(const result&) const = default;
};

template <class G, class T>
result<G> run(const triplet& loss, const similarity_batch<T>& batch, update how, double scale,
              unsigned threads) {
  rankloss::context context{rankloss::threads(threads)};
  result<G> out{.per_list = std::vector<double>(batch.rows + batch.columns, -1.0),
                .gradient = std::vector<G>(batch.similarity.size(), G(0.25))};
  out.value =
      evaluate(loss, batch,
               {.gradient = out.gradient, .per_list = out.per_list, .scale = scale, .update = how}, context);
  CHECK(evaluate(loss, batch, {}, context) == out.value);
  return out;
}

/// Matches that are given are not those by index: such a matrix is computed list by list.
template <class G, class T>
void check(const std::vector<T>& scores, std::size_t rows, std::size_t columns, const triplet& loss,
           reduction how_reduced, update how, double scale) {
  INFO(rows << " rows of " << columns);
  std::vector<std::uint8_t> matches(rows * columns, 0);
  for (std::size_t i = 0; i < std::min(rows, columns); ++i) matches[i * columns + i] = 1;
  std::vector<double> row_weights(rows), column_weights(columns);
  for (std::size_t i = 0; i < rows; ++i) row_weights[i] = static_cast<double>(i % 3);
  for (std::size_t j = 0; j < columns; ++j) column_weights[j] = static_cast<double>(1 + j % 2);
  similarity_batch<T> batch{.similarity = scores, .rows = rows, .columns = columns};
  batch.reduction = how_reduced;
  batch.row_weights = row_weights;
  batch.column_weights = column_weights;
  similarity_batch<T> listed = batch;
  listed.matches = matches;
  batch.extra_columns = rows < columns;
  const auto expected = run<G>(loss, listed, how, scale, 1);
  for (const unsigned threads : {1u, 3u}) CHECK(run<G>(loss, batch, how, scale, threads) == expected);
}

}  // namespace

TEMPLATE_TEST_CASE("hardest_by_index: to the bit what lists one by one are", "", float, double) {
  std::mt19937_64 random(11);
  for (const auto over : {directions::rows, directions::columns, directions::both})
    for (const auto& [rows, columns] : std::vector<std::pair<std::size_t, std::size_t>>{
             {1, 1}, {1, 4}, {2, 2}, {7, 7}, {33, 33}, {40, 41}, {130, 130}, {70, 600}, {530, 530}})
      for (const update how : {update::overwrite, update::add})
        for (const auto how_reduced : {reduction::mean, reduction::sum, reduction::mean_of_relevant}) {
          const triplet loss{.margin = 0.3, .over = over};
          const auto scores = support::numbers<TestType>(random, rows * columns);
          check<TestType>(scores, rows, columns, loss, how_reduced, how, 0.7);
          // Few values, so that many negatives are equally hard, some of them infinite.
          std::vector<TestType> ties(rows * columns);
          for (TestType& s : ties) {
            const auto k = random() % 9;
            s = k == 0   ? -infinity<TestType>
                : k == 1 ? std::numeric_limits<TestType>::lowest()
                         : static_cast<TestType>(k % 3) / TestType{4};
          }
          check<TestType>(ties, rows, columns, loss, how_reduced, how, 1.0);
          ties[random() % ties.size()] = infinity<TestType>;
          check<TestType>(ties, rows, columns, loss, how_reduced, how, -1.0);
          check<TestType>(std::vector<TestType>(rows * columns, -infinity<TestType>), rows, columns, loss,
                          how_reduced, how, 1.0);
        }
  const auto scores = support::numbers<TestType>(random, 60 * 60);
  check<float>(scores, 60, 60, triplet{}, reduction::mean, update::overwrite, 1e30);
  check<double>(scores, 60, 60, triplet{}, reduction::mean, update::add, 1e-320);
}

TEST_CASE("hardest_by_index: rows that are apart, and a matrix that is stored by columns") {
  std::mt19937_64 random(12);
  const std::size_t n = 90, stride = 97;
  const auto scores = support::numbers<float>(random, n * n);
  std::vector<float> apart(n * stride, 7.0f), by_column(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) apart[i * stride + j] = by_column[j * n + i] = scores[i * n + j];
  rankloss::context context;
  const triplet loss{.margin = 0.3};
  std::vector<float> gradient(n * n), gradient_apart(n * stride, 9.0f), gradient_by_column(n * n);
  const double value = evaluate(loss, similarity_batch<float>{.similarity = scores, .rows = n, .columns = n},
                                {.gradient = gradient}, context);
  CHECK(value > 0.0);
  CHECK(evaluate(loss,
                 similarity_batch<float>{.similarity = apart, .rows = n, .columns = n, .stride = stride},
                 {.gradient = gradient_apart}, context) == value);
  similarity_batch<float> stored{};
  stored.similarity = rankloss::matrix_view<const float>(by_column.data(), n, n, 1, n);
  CHECK(evaluate(loss, stored,
                 {.gradient = rankloss::matrix_view<float>(gradient_by_column.data(), n, n, 1, n)},
                 context) == value);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < stride; ++j) {
      CHECK(gradient_apart[i * stride + j] == (j < n ? gradient[i * n + j] : 9.0f));
      if (j < n) CHECK(gradient_by_column[j * n + i] == gradient[i * n + j]);
    }
}

}  // namespace detail_lists_hardest_by_index_test
