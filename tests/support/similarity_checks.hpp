// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "listwise_reference.hpp"

#include <rankloss/evaluate.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

/// What the losses of a query with positives and negatives are held to besides the promises.
namespace support {

using reference::real;

/// By how much value and gradient may be off.
struct query_bounds {
  double digits = 1.0;     ///< times 2e-6 in float, 1e-13 in double
  double size = 0.0;       ///< a value that is less is the difference of numbers of this size
  double steepness = 0.0;  ///< the same of its slopes
};

/// Value and gradient of one list, alone and together, to the digits of T.
template <class T, class Loss>
void query_agrees(const Loss& loss, const std::vector<T>& s, const std::vector<T>& y,
                  const reference::derivatives& expected, const query_bounds& held = {}) {
  std::vector<T> g(s.size(), std::numeric_limits<T>::quiet_NaN());
  const rankloss::list_batch<T> batch{.scores = s, .relevance = y};
  const double value = rankloss::evaluate(loss, batch, {.gradient = g});
  const double bound = held.digits * (sizeof(T) == 4 ? 2e-6 : 1e-13);
  const real size = std::max(std::abs(expected.value), real(held.size));
  // What is less than the least normal number may be 0.
  CHECK(std::abs(real(value) - expected.value) <=
        real(bound) * size + real(std::numeric_limits<double>::min()));
  CHECK(rankloss::evaluate(loss, batch) == Approx(value).epsilon(1e-14));
  real steepest = std::max(real(held.steepness), real(std::numeric_limits<T>::min()) / real(bound));
  for (const real x : expected.gradient) steepest = std::max(steepest, std::abs(x));
  for (std::size_t i = 0; i < g.size(); ++i)
    CHECK(std::abs(real(g[i]) - expected.gradient[i]) <= real(bound) * steepest);
}

/// Lists of any length and number of positives, held against `right(s, y)`.
template <class T, class Loss, class Right>
void queries_agree(const Loss& loss, Right right, const query_bounds& held = {}) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> cosine(-1.0, 1.0);
  for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 31u, 100u, 2100u})
    for (const unsigned one_in : {1u, 2u, 5u, 1000000u}) {
      INFO(n << " items, one in " << one_in << " positive");
      std::vector<T> s, y;
      for (std::size_t i = 0; i < n; ++i) {
        s.push_back(static_cast<T>(cosine(random)));
        y.push_back(random() % one_in == 0 ? T(1 + i % 2) : T(0));
      }
      query_agrees(loss, s, y, right(reference::widen(s), reference::widen(y)), held);
    }
}

/// Finite for scores at the ends of the type, whichever of them are positives.
template <class T, class Loss>
void query_stays_finite(const Loss& loss) {
  const T big = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity();
  const T tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<std::vector<T>> scores{{T(0), T(-2.1e26), T(3.4e37), T(42)},
                                           {big, -big, T(0), T(1)},
                                           {big, big, big, big},
                                           {infinity, T(0), -infinity, T(1)},
                                           {infinity, infinity, -infinity, -infinity},
                                           {-infinity, -infinity, -infinity, -infinity},
                                           {-big, -infinity, infinity, big},
                                           {tiny, -tiny, T(0), T(1)}};
  for (const auto& s : scores)
    for (unsigned positives = 0; positives < 16; ++positives) {
      std::vector<T> y(4), g(4);
      for (std::size_t i = 0; i < 4; ++i) y[i] = (positives >> i) % 2 == 1 ? T(1) : T(0);
      INFO("scores " << &s - scores.data() << ", positives " << positives);
      const double value =
          rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
      CHECK(std::isfinite(value));
      CHECK(std::all_of(g.begin(), g.end(), [](T x) { return std::isfinite(x); }));
    }
}

/// Whether the gradient of a matrix is the slope of its value, by any field of the loss: `at(x)` is the loss
/// with that field x more, and `slope` what it says the slope is.
template <class At>
void check_option_slope(At at, const rankloss::similarity_batch<double>& batch, double slope) {
  constexpr double h = 0x1p-18;
  const double above = rankloss::evaluate(at(h), batch), below = rankloss::evaluate(at(-h), batch);
  CHECK(slope == Approx((above - below) / (2 * h)).epsilon(1e-6).margin(1e-8));
}

/// A matrix of cosines, and classes by which rows and columns match.
struct classed_matrix {
  std::size_t rows, columns;
  std::vector<double> s;
  std::vector<int> row_classes, column_classes;

  classed_matrix(std::size_t m, std::size_t n, int classes, unsigned seed = 1) : rows(m), columns(n) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> cosine(-1.0, 1.0);
    for (std::size_t k = 0; k < m * n; ++k) s.push_back(cosine(random));
    for (std::size_t i = 0; i < m; ++i) row_classes.push_back(static_cast<int>(i) % classes);
    for (std::size_t j = 0; j < n; ++j) column_classes.push_back(static_cast<int>(j * 7 % 5) % classes);
  }
  [[nodiscard]] rankloss::similarity_batch<double> batch(
      rankloss::reduction how = rankloss::reduction::mean) const {
    return {.similarity = s,
            .rows = rows,
            .columns = columns,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .reduction = how};
  }
};

/// A matrix is the mean of its rows as lists, of its columns, or half of each.
template <class Loss>
void matrix_is_its_lists(Loss loss) {
  const classed_matrix m(9, 13, 4);
  const auto mean_of = [&](bool columns) {
    const std::size_t lists = columns ? m.columns : m.rows, n = columns ? m.rows : m.columns;
    double sum = 0.0;
    for (std::size_t l = 0; l < lists; ++l) {
      std::vector<double> s, y;
      for (std::size_t k = 0; k < n; ++k) {
        const std::size_t i = columns ? k : l, j = columns ? l : k;
        s.push_back(m.s[i * m.columns + j]);
        y.push_back(m.row_classes[i] == m.column_classes[j] ? 1.0 : 0.0);
      }
      sum += rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y});
    }
    return sum / static_cast<double>(lists);
  };
  const double rows = mean_of(false), columns = mean_of(true);
  loss.over = rankloss::directions::rows;
  CHECK(rankloss::evaluate(loss, m.batch()) == Approx(rows).epsilon(1e-13));
  loss.over = rankloss::directions::columns;
  CHECK(rankloss::evaluate(loss, m.batch()) == Approx(columns).epsilon(1e-13));
  loss.over = rankloss::directions::both;
  CHECK(rankloss::evaluate(loss, m.batch()) == Approx(0.5 * (rows + columns)).epsilon(1e-13));
}

}  // namespace support
