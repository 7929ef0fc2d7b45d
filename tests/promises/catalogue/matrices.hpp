// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of similarity matrices, and matrices for them. Which losses there are stands in matrices.cpp.

#include "any_loss.hpp"
#include "calls.hpp"
#include "data.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace promises {

using matrix_loss = any_loss<rankloss::similarity_batch<float>, rankloss::similarity_batch<double>>;

/// Every loss of matrices that keeps the promises, with options that change what it computes.
const std::vector<matrix_loss>& similarity_losses();

/// Similarities and all that may come with them.
template <class T>
struct matrix {
  std::size_t rows = 0, columns = 0, stride = 0;
  bool ties = false;
  std::vector<T> s;
  std::vector<std::uint8_t> matches;
  std::vector<int> row_classes, column_classes;
  std::vector<T> relevance, column_relevance;
  std::vector<double> row_weights, column_weights;

  matrix(std::mt19937_64& random, std::size_t m, std::size_t n, kind k = kind::distinct, std::size_t gap = 0)
      : rows(m),
        columns(n),
        stride(n + gap),
        ties(k != kind::distinct),
        s(scores_of<T>(random, m * (n + gap), k)) {
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = n; j < stride; ++j) s[i * stride + j] = static_cast<T>(nan);
  }
  matrix& classes(std::mt19937_64& random, unsigned count) {
    row_classes = support::whole_numbers<int>(random, rows, count);
    column_classes = support::whole_numbers<int>(random, columns, count);
    return *this;
  }
  matrix& flags(std::mt19937_64& random, unsigned one_in) {
    matches = support::whole_numbers<std::uint8_t>(random, rows * columns, one_in);
    for (auto& m : matches) m = m == 0 ? 1 : 0;
    return *this;
  }
  matrix& grades(std::mt19937_64& random, bool of_columns = false) {
    relevance = grades_of<T>(random, rows * columns);
    if (of_columns) column_relevance = grades_of<T>(random, rows * columns);
    return *this;
  }
  matrix& weights(std::mt19937_64& random) {
    row_weights = support::whole_numbers<double>(random, rows, 4);
    column_weights = support::whole_numbers<double>(random, columns, 3);
    return *this;
  }
  [[nodiscard]] rankloss::similarity_batch<T> batch(
      rankloss::reduction how = rankloss::reduction::mean) const {
    return {.similarity = s,
            .rows = rows,
            .columns = columns,
            .stride = stride,
            .matches = matches,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .relevance = relevance,
            .column_relevance = column_relevance,
            .row_weights = row_weights,
            .column_weights = column_weights,
            .reduction = how};
  }
  [[nodiscard]] bool taken_by(const matrix_loss& loss) const {
    return rows == columns || loss.claimed.rectangular;
  }
};

/// One of each form: diagonal matches, classes, flags, with relevance and weights or without.
template <class T>
std::vector<matrix<T>> small_matrices(std::size_t gap = 0) {
  std::mt19937_64 random(2);
  std::vector<matrix<T>> all;
  const auto make = [&](std::size_t m, std::size_t n) -> matrix<T>& {
    return all.emplace_back(random, m, n, kind::distinct, gap);
  };
  make(0, 0);
  make(1, 1);
  make(6, 6);
  make(5, 8).classes(random, 3).weights(random);
  make(9, 4).flags(random, 3).grades(random);
  make(7, 7).grades(random, true).weights(random);
  make(7, 7).classes(random, 2);
  return all;
}

/// Matrices of more than one task, and with columns too long for lanes.
template <class T>
std::vector<matrix<T>> large_matrices(std::size_t gap = 0) {
  std::mt19937_64 random(3);
  std::vector<matrix<T>> all;
  all.emplace_back(random, 90, 140, kind::distinct, gap).classes(random, 20).weights(random);
  all.emplace_back(random, 300, 5, kind::tied, gap).flags(random, 4).grades(random);
  all.emplace_back(random, 128, 128, kind::tied, gap).grades(random, true);
  return all;
}

template <class T>
std::vector<matrix<T>> all_matrices(std::size_t gap = 0) {
  auto all = small_matrices<T>(gap);
  for (auto& m : large_matrices<T>(gap)) all.push_back(std::move(m));
  return all;
}

// Compiled once, in matrices.cpp.
extern template struct matrix<float>;
extern template struct matrix<double>;
extern template std::vector<matrix<float>> small_matrices<float>(std::size_t);
extern template std::vector<matrix<double>> small_matrices<double>(std::size_t);
extern template std::vector<matrix<float>> large_matrices<float>(std::size_t);
extern template std::vector<matrix<double>> large_matrices<double>(std::size_t);
extern template std::vector<matrix<float>> all_matrices<float>(std::size_t);
extern template std::vector<matrix<double>> all_matrices<double>(std::size_t);
extern template result<float> run<matrix_loss, rankloss::similarity_batch<float>>(
    const matrix_loss&, const rankloss::similarity_batch<float>&, wanted, rankloss::context&, double);
extern template result<double> run<matrix_loss, rankloss::similarity_batch<double>>(
    const matrix_loss&, const rankloss::similarity_batch<double>&, wanted, rankloss::context&, double);

}  // namespace promises
