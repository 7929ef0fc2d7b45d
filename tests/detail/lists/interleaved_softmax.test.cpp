// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/lists/interleaved_softmax.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace detail_lists_interleaved_softmax_test {

namespace {

using rankloss::bidirectional;
using rankloss::directions;
using rankloss::similarity_batch;
using rankloss::softmax_cross_entropy;
using rankloss::update;

template <class T>
struct matrix {
  std::size_t rows, columns, stride;
  std::vector<T> scores, relevance;  // relevance: without gaps, or none
  std::vector<double> weights;       // of the columns

  [[nodiscard]] matrix turned() const {
    matrix to{columns, rows, rows, std::vector<T>(rows * columns), std::vector<T>(relevance.size()), weights};
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) {
        to.scores[j * rows + i] = scores[i * stride + j];
        if (!relevance.empty()) to.relevance[j * rows + i] = relevance[i * columns + j];
      }
    return to;
  }
  [[nodiscard]] similarity_batch<T> batch(bool of_rows) const {
    similarity_batch<T> b{.similarity = scores, .rows = rows, .columns = columns, .stride = stride};
    b.relevance = relevance;
    (of_rows ? b.row_weights : b.column_weights) = weights;
    return b;
  }
};

template <class T>
matrix<T> some(std::size_t rows, std::size_t columns, bool with_relevance, std::size_t gap = 0) {
  std::mt19937_64 random(rows + 7 * columns);
  matrix<T> m{rows, columns, columns + gap, support::numbers<T>(random, rows * (columns + gap)), {}, {}};
  for (T& s : m.scores) s *= T{3};
  for (std::size_t j = 0; j < columns; ++j) m.weights.push_back(static_cast<double>(1 + j % 3));
  if (!with_relevance) return m;
  for (std::size_t k = 0; k < rows * columns; ++k) m.relevance.push_back(static_cast<T>(random() % 5) / T{2});
  for (std::size_t i = 0; i < rows; ++i) m.relevance[i * columns] = T{0};
  return m;
}

template <class G>
struct result {
  double value = 0.0;
  std::vector<double> per_list;
  std::vector<G> gradient;

  bool operator==(const result&) const = default;
};

template <class G, class T, class Loss>
result<G> run(const Loss& loss, const matrix<T>& m, bool of_rows, update how = update::overwrite,
              double scale = 1.0, unsigned threads = 1) {
  rankloss::context context{rankloss::threads(threads)};
  result<G> out{.per_list = std::vector<double>(m.rows + m.columns),
                .gradient = std::vector<G>(m.scores.size(), G(0.25))};
  const bidirectional<Loss> both{.loss = loss, .over = of_rows ? directions::rows : directions::columns};
  out.value =
      evaluate(both, m.batch(of_rows),
               {.gradient = out.gradient, .per_list = out.per_list, .scale = scale, .update = how}, context);
  CHECK(evaluate(both, m.batch(of_rows), {}, context) == out.value);
  out.per_list = of_rows ? std::vector<double>(out.per_list.begin(),
                                               out.per_list.begin() + static_cast<std::ptrdiff_t>(m.rows))
                         : std::vector<double>(out.per_list.begin() + static_cast<std::ptrdiff_t>(m.rows),
                                               out.per_list.end());
  return out;
}

/// The columns, which are computed side by side, against the same lists as rows, which are computed one by one.
template <class G, class T, class Loss>
void check(const Loss& loss, const matrix<T>& m, update how = update::overwrite, double scale = 1.0) {
  INFO(m.rows << " rows of " << m.columns);
  const auto expected = run<G>(loss, m.turned(), true, how, scale);
  const auto found = run<G>(loss, m, false, how, scale);
  for (const unsigned threads : {2u, 5u}) CHECK(run<G>(loss, m, false, how, scale, threads) == found);
  CHECK(found.value == expected.value);
  CHECK(found.per_list == expected.per_list);
  bool same = true, written = false;
  for (std::size_t i = 0; i < m.rows; ++i) {
    for (std::size_t j = 0; j < m.columns; ++j)
      same = same && found.gradient[i * m.stride + j] == expected.gradient[j * m.rows + i];
    for (std::size_t j = m.columns; j < m.stride; ++j)
      written = written || found.gradient[i * m.stride + j] != G(0.25);
  }
  CHECK(same);
  CHECK(!written);
}

}  // namespace

TEMPLATE_TEST_CASE("interleaved_softmax: columns are to the bit what the same lists are as rows", "", float,
                   double) {
  using T = TestType;
  using rankloss::target;
  for (const bool with_relevance : {true, false})
    for (const auto& [rows, columns] : std::vector<std::pair<std::size_t, std::size_t>>{
             {128, 128}, {129, 200}, {143, 5}, {700, 31}, {131, 600}, {530, 530}}) {
      if (!with_relevance && columns != rows) continue;  // they match by index
      const auto m = some<T>(rows, columns, with_relevance, 3);
      for (const target of : {target::normalised, target::relevance, target::softmax})
        for (const double temperature : {1.0, 0.02})
          check<T>(
              softmax_cross_entropy{.temperature = temperature, .target = of, .relevance_temperature = 0.3},
              m);
      check<T>(rankloss::listnet{}, m, update::add, 0.7);
      check<double>(softmax_cross_entropy{}, m, update::overwrite, -3.0);
      check<float>(softmax_cross_entropy{}, m, update::add, 0.5);
      check<T>(softmax_cross_entropy{}, m, update::add, 1e30);
    }
}

TEMPLATE_TEST_CASE("interleaved_softmax: columns of several pieces are summed piece by piece, as rows are", "",
                   float, double) {
  using T = TestType;
  const auto m = some<T>(2 * rankloss::detail::tuning::piece_items + 700, 5, true);
  check<T>(softmax_cross_entropy{}, m);
  check<T>(rankloss::listnet{}, m);
}

TEMPLATE_TEST_CASE("interleaved_softmax: scores at the ends of their type, and targets that take units", "",
                   float, double) {
  using T = TestType;
  constexpr T infinity = std::numeric_limits<T>::infinity(), largest = std::numeric_limits<T>::max();
  auto m = some<T>(150, 20, true);
  for (std::size_t i = 0; i < m.rows; ++i) {
    m.scores[i * m.stride + 3] = i == 149 ? infinity : -infinity;
    m.scores[i * m.stride + 4] = i % 2 == 0 ? largest : -largest;
    m.scores[i * m.stride + 5] = -largest;
    m.scores[i * m.stride + 6] = static_cast<T>(i) * largest / T{200};
    m.relevance[i * m.columns + 7] *= std::numeric_limits<T>::min();
    m.relevance[i * m.columns + 8] *= largest / T{4};
  }
  for (const double temperature : {1.0, 1e-15, 1e300}) {
    check<T>(softmax_cross_entropy{.temperature = temperature}, m);
    check<T>(softmax_cross_entropy{.temperature = temperature, .target = rankloss::target::softmax}, m);
  }
}

}  // namespace detail_lists_interleaved_softmax_test
