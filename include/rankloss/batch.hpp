// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/abi.hpp>

#include <cstddef>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// How the values of the lists become one number.
enum class reduction {
  mean,              ///< sum of weight * value over sum of weights; every list counts, empty ones too
  mean_of_relevant,  ///< the same over the lists that hold something relevant; 0 when none does
  sum,               ///< sum of weight * value
};

/// Whether an output replaces what the buffer holds or is added to it.
enum class update { overwrite, add };

/// list_batch: lists of scored items, over the host's own memory.
///
/// Ragged: list q is [offsets[q], offsets[q + 1]); empty lists are allowed; without offsets there is one list.
/// Dense: `length` items a list, lists `stride` apart; what lies between a list's end and the next one's beginning is never read. Of padded rows
/// `lengths` says how many items of each count: what lies behind them is padding.
/// Every array "of items" has the same layout as `scores`. A masked item and padding take no part, may hold anything and have a gradient of 0.
///
/// A missed item is relevance without a rank: what a search did not retrieve, say. Metrics count it in what could have been found (the ideal DCG,
/// the number of relevant items), and it never takes a position, at any cutoff or none; its score is not used. Losses, and metrics that have
/// no value for such an item, refuse the field.
///
/// T is float or double; Relevance is any arithmetic type but long double.
template <score T, grade Relevance = T>
struct list_batch {
  using score_type = T;
  using relevance_type = Relevance;

  array_view<const T> scores;             ///< [items] any finite number; infinities as each loss documents
  array_view<const Relevance> relevance;  ///< [items] grade or gain, as each loss documents
  positions offsets{};                    ///< [lists + 1] rising from 0 to the number of items
  reals list_weights{};                   ///< [lists] >= 0, finite; none: all 1
  reals item_weights{};                   ///< [items] >= 0, finite; none: all 1
  std::size_t length = 0;                 ///< dense form: items a list; 0: ragged form
  std::size_t stride = 0;                 ///< dense form: items from one list's start to the next; 0: length
  positions lengths{};                    ///< [lists] dense form: 0 to length, items of the list that count, the first ones; none: all
  flags mask{};                           ///< [items] zero: the item takes no part; none: all count
  flags missed{};                         ///< [items] not zero: the item has relevance and no rank; none: all have a rank
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// similarity_batch: a matrix of similarities between rows (queries of one kind) and columns (of the other), over the host's own memory.
///
/// Which pairs match, the first that is given of: `matches`; `row_classes` and `column_classes` (equal ids match);
/// none (row i matches column i, and the matrix is square).
///
/// A matrix_view, or a matrix of Eigen or xtensor, brings its own rows, columns and strides, each field its own: by columns, transposed or a block,
/// it is read as it lies, and (i, j) is row i and column j of each. Plain arrays have their rows one behind the other, those of similarity `stride`
/// apart.
template <score T, grade Relevance = T>
struct similarity_batch {
  using score_type = T;
  using relevance_type = Relevance;

  shaped<array_view<const T>> similarity;                  ///< [rows, columns] any finite number
  std::size_t rows = 0;                                    ///< number of rows; 0: those of similarity, where it is a matrix
  std::size_t columns = 0;                                 ///< number of columns; likewise
  std::size_t stride = 0;                                  ///< items from one row's start to the next, where similarity is a plain array; 0: columns
  shaped<flags> matches{};                                 ///< [rows, columns] not zero where the pair matches
  positions row_classes{};                                 ///< [rows] class id
  positions column_classes{};                              ///< [columns] class id
  shaped<array_view<const Relevance>> relevance{};         ///< [rows, columns] grade of a column for a row; none: 1 where matching, else 0
  shaped<array_view<const Relevance>> column_relevance{};  ///< [rows, columns] grade of the row for the column's query; none: relevance
  reals row_weights{};                                     ///< [rows] >= 0, finite; none: all 1
  reals column_weights{};                                  ///< [columns] >= 0, finite; none: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// outputs: what `evaluate` writes besides the value it returns. Empty ones are not written.
///
/// A gradient that is a plain array lies as the scores do. Of a similarity matrix it may also be a matrix, of any strides: (i, j) is written to (i,
/// j).
struct outputs {
  shaped<real_output> gradient{};  ///< layout of the scores: scale * d(value) / d(score)
  array_view<double> per_list{};   ///< [lists] the lists' own values, before weights and scale; of a matrix: [rows + columns]
  shaped<real_output> hessian{};   ///< layout of the scores: scale * d2(value) / d(score)^2, the diagonal; for losses that have it
  double scale = 1.0;              ///< factor on gradient and hessian, such as an upstream gradient; not on the value
  rankloss::update update = rankloss::update::overwrite;  ///< of gradient and hessian
};

namespace detail {

template <bool Columns, class Scores, class Relevance>
[[nodiscard]] auto lists_of_lines(const Scores& scores, const Relevance& relevance) {
  const matrix_view s = matrix_of_lines<Columns>(scores);
  const matrix_view y = matrix_of_lines<Columns>(relevance);
  require(s.rows() == y.rows() && s.columns() == y.columns(), "relevance: ", y.rows(), " lists of ", y.columns(), " items, expected ", s.rows(),
          " of ", s.columns(), ", as the scores have");
  require(s.rows() <= 1 || s.row_stride() == y.row_stride(), "relevance: lists ", y.row_stride(), " items apart, expected ", s.row_stride(),
          ", as those of the scores are");
  return list_batch<std::remove_cvref_t<decltype(*s.data())>, std::remove_cvref_t<decltype(*y.data())>>{
      .scores = {s.data(), matrix_shape::of(s).extent()},
      .relevance = {y.data(), matrix_shape::of(y).extent()},
      .length = s.columns(),
      .stride = s.rows() <= 1 ? std::size_t{0} : s.row_stride()};
}

}  // namespace detail

/// row_lists: the dense batch whose lists are the rows of two matrices, of which each may be a block of a larger one. Its other fields and the
/// outputs are arrays of the same layout: `rows_of(matrix)`.
///
///     auto batch = rankloss::row_lists(scores, relevance);
///     batch.mask = rankloss::rows_of(mask);
///     rankloss::evaluate(loss, batch, {.gradient = rankloss::rows_of(gradient)}, context);
///
/// Matrices without columns make one empty list.
/// @throws std::invalid_argument when the items of a row are apart, or when the matrices differ in rows, columns or the distance of rows.
template <class Scores, class Relevance>
[[nodiscard]] auto row_lists(Scores&& scores, Relevance&& relevance) {
  detail::expect_matrix_that_stays<Scores>();
  detail::expect_matrix_that_stays<Relevance>();
  return detail::lists_of_lines<false>(scores, relevance);
}

/// column_lists: the same for matrices by columns, which are the lists.
template <class Scores, class Relevance>
[[nodiscard]] auto column_lists(Scores&& scores, Relevance&& relevance) {
  detail::expect_matrix_that_stays<Scores>();
  detail::expect_matrix_that_stays<Relevance>();
  return detail::lists_of_lines<true>(scores, relevance);
}

/// list: one list of a batch as a loss sees it.
template <class T, class Relevance>
struct list {
  strided<const T> scores;             ///< [n]
  strided<const Relevance> relevance;  ///< [n]; for metrics that count missed items [n + missed], these last
  strided<const double> weights{};     ///< as relevance, or empty: all 1
  std::size_t number = 0;              ///< which list of its batch it is, from 0: what random numbers are keyed by

  [[nodiscard]] std::size_t size() const noexcept { return scores.size(); }
  [[nodiscard]] std::size_t size_with_missed() const noexcept { return relevance.size(); }
};

/// list_outputs: where a loss writes what it computes of one list; an empty one is not wanted.
template <class T>
struct list_outputs {
  strided<T> gradient{};  ///< [n]
  strided<T> hessian{};   ///< [n]
};

}  // namespace rankloss::inline RANKLOSS_ABI
