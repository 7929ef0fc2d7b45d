// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/lists/list_block.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace detail_lists_list_block_test {

namespace {

using rankloss::bidirectional;
using rankloss::directions;
using rankloss::outputs;
using rankloss::similarity_batch;
using rankloss::update;

/// The transposed matrix.
template <class X>
std::vector<X> turned(const std::vector<X>& matrix, std::size_t rows, std::size_t columns) {
  std::vector<X> out(matrix.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) out[j * rows + i] = matrix[i * columns + j];
  return out;
}

/// What a call gives.
template <class G>
struct result {
  double value = 0.0;
  std::vector<double> per_list;
  std::vector<G> gradient, hessian;
};

template <class G, class T, class R, class Loss>
result<G> run(const Loss& loss, const similarity_batch<T, R>& batch, directions over, update how,
              double scale, bool hessian, rankloss::context& context) {
  result<G> out;
  out.per_list.assign(batch.rows + batch.columns, -1.0);
  out.gradient.assign(batch.rows * batch.columns, G(0.25));
  out.hessian.assign(hessian ? out.gradient.size() : 0, G(0.25));
  out.value = evaluate(bidirectional<Loss>{.loss = loss, .over = over}, batch,
                       outputs{.gradient = out.gradient,
                               .per_list = out.per_list,
                               .hessian = out.hessian,
                               .scale = scale,
                               .update = how},
                       context);
  return out;
}

/// The columns of a matrix are the rows of the transposed one, to the bit.
template <class G, class T, class Loss>
void check(const Loss& loss, std::size_t rows, std::size_t columns, std::mt19937_64& random, bool masked,
           bool of_matches, update how, double scale) {
  INFO(rows << " rows of " << columns << " columns, mask " << masked << ", matches " << of_matches);
  const auto similarity = support::numbers<T>(random, rows * columns);
  const auto relevance = support::whole_numbers<int>(random, rows * columns, 4);
  const auto mask = support::whole_numbers<std::uint8_t>(random, rows * columns, 3);
  const auto matches = support::whole_numbers<std::uint8_t>(random, rows * columns, 2);
  const auto turned_similarity = turned(similarity, rows, columns);
  const auto turned_relevance = turned(relevance, rows, columns);
  const auto turned_mask = turned(mask, rows, columns), turned_matches = turned(matches, rows, columns);
  similarity_batch<T, int> batch{.similarity = similarity, .rows = rows, .columns = columns};
  similarity_batch<T, int> other{.similarity = turned_similarity, .rows = columns, .columns = rows};
  if (of_matches)
    batch.matches = matches, other.matches = turned_matches;
  else
    batch.relevance = relevance, other.relevance = turned_relevance;
  if (masked) batch.mask = mask, other.mask = turned_mask;

  rankloss::context one;
  const auto expected = run<G>(loss, other, directions::rows, how, scale, true, one);
  for (const unsigned count : {1u, 3u}) {
    rankloss::context context{rankloss::threads(count)};
    const auto found = run<G>(loss, batch, directions::columns, how, scale, true, context);
    CHECK(found.value == expected.value);
    CHECK(found.gradient == turned(expected.gradient, columns, rows));
    CHECK(found.hessian == turned(expected.hessian, columns, rows));
    for (std::size_t j = 0; j < columns; ++j) CHECK(found.per_list[rows + j] == expected.per_list[j]);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("list_block: columns of a matrix are the rows of the transposed one", "", float, double) {
  std::mt19937_64 random(5);
  const rankloss::softmax_cross_entropy softmax{.temperature = 0.3};
  const rankloss::sndcg sndcg{.temperature = 0.3};
  // Around the length from which on columns are copied, and around whole squares, pieces and blocks.
  const std::vector<std::pair<std::size_t, std::size_t>> sizes{{127, 5},  {128, 1},  {128, 16}, {129, 17},
                                                               {144, 63}, {160, 64}, {131, 65}, {300, 130}};
  for (const auto& [rows, columns] : sizes)
    for (const bool masked : {false, true})
      for (const bool of_matches : {false, true})
        for (const update how : {update::overwrite, update::add}) {
          check<TestType, TestType>(softmax, rows, columns, random, masked, of_matches, how, 0.5);
          if (columns < 64)
            check<TestType, TestType>(sndcg, rows, columns, random, masked, of_matches, how, 1.0);
        }
  // Outputs of another type, and a factor that is applied in double.
  check<double, float>(softmax, 200, 40, random, false, false, update::overwrite, 1.0);
  check<float, double>(softmax, 200, 40, random, true, false, update::add, 1.0);
  check<TestType, TestType>(softmax, 200, 40, random, false, false, update::overwrite, 3000.0);
}

TEST_CASE("list_block: both directions, strides, and rows of a matrix that is stored by columns") {
  std::mt19937_64 random(6);
  const std::size_t rows = 140, columns = 150, stride = 157;
  const rankloss::softmax_cross_entropy softmax{.temperature = 0.3};
  const auto dense = support::numbers<double>(random, rows * columns);
  const auto relevance = support::whole_numbers<int>(random, rows * columns, 4);
  std::vector<double> apart(rows * stride, 7.0);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) apart[i * stride + j] = dense[i * columns + j];
  const similarity_batch<double, int> batch{
      .similarity = dense, .rows = rows, .columns = columns, .relevance = relevance};
  similarity_batch<double, int> strided = batch;
  strided.similarity = apart;
  strided.stride = stride;
  rankloss::context context;
  std::vector<double> gradient(rows * columns), by_rows(rows * columns), by_columns(rows * columns);
  std::vector<double> gradient_apart(rows * stride, 9.0);
  const auto both = [&](directions over) {
    return bidirectional<rankloss::softmax_cross_entropy>{.loss = softmax, .over = over};
  };
  const double value = evaluate(both(directions::both), batch, {.gradient = gradient}, context);
  CHECK(evaluate(both(directions::both), strided, {.gradient = gradient_apart}, context) == value);
  evaluate(both(directions::rows), batch, {.gradient = by_rows}, context);
  evaluate(both(directions::columns), batch, {.gradient = by_columns}, context);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t k = i * columns + j;
      CHECK(gradient[k] == Approx(0.5 * (by_rows[k] + by_columns[k])).margin(1e-17));
      CHECK(gradient_apart[i * stride + j] == gradient[k]);
    }
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = columns; j < stride; ++j) CHECK(gradient_apart[i * stride + j] == 9.0);

  const auto by_column = turned(dense, rows, columns);
  const auto relevance_by_column = turned(relevance, rows, columns);
  std::vector<double> gradient_by_column(rows * columns, 9.0);
  similarity_batch<double, int> stored{};
  stored.similarity = rankloss::matrix_view<const double>(by_column.data(), rows, columns, 1, rows);
  stored.relevance = rankloss::matrix_view<const int>(relevance_by_column.data(), rows, columns, 1, rows);
  CHECK(
      evaluate(both(directions::both), stored,
               {.gradient = rankloss::matrix_view<double>(gradient_by_column.data(), rows, columns, 1, rows)},
               context) == value);
  CHECK(gradient_by_column == turned(gradient, rows, columns));
}

}  // namespace detail_lists_list_block_test
