// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/abi.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// How the values of the lists are combined into one number.
enum class reduction {
  mean,              ///< sum of weight * value / sum of weights; every list counts, also an empty one
  mean_of_relevant,  ///< the same over the lists that contain a relevant item; 0 if none does
  sum,               ///< sum of weight * value
};

/// Whether an output overwrites what the buffer holds or is added to it.
enum class update { overwrite, add };

/// Which lines of a matrix are the lists of a similarity loss.
enum class directions {
  both,     ///< the rows and the columns, each with half of the mean
  rows,     ///< the rows alone; the columns have value 0 in per_list
  columns,  ///< the columns alone; the rows have value 0 in per_list
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(directions) noexcept {
  return {"both", "rows", "columns"};
}

/// How alike two embeddings x and y are.
enum class similarity {
  cosine,      ///< x y / (|x| |y|); 0 where one of them is zero
  dot,         ///< x y
  projection,  ///< x y / |y| where x is that of the list and y that of an item: as in cmpm
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(similarity) noexcept {
  return {"cosine", "dot", "projection"};
}

/// list_batch: lists of scored items, as views of the host's own memory.
///
/// Ragged form: list q is [offsets[q], offsets[q + 1]); empty lists are allowed; without offsets all items
/// are one list.
/// Dense form: `length` items in each list, lists `stride` apart; items between the end of a list and the
/// beginning of the next are never read. For padded rows `lengths` says how many items of each row count,
/// from 0 to `length`; the items behind them are padding.
/// Every array over items has the same layout as `scores`. A masked item and padding take no part, may hold
/// any value and have a gradient of 0.
///
/// A missed item has relevance and no rank, like a relevant document that a search did not retrieve. Metrics
/// count it among what could have been found (the ideal DCG, the number of relevant items). It never takes a
/// rank, whatever the cutoff, and its score is not used. Losses, and metrics that are not defined for
/// such an item, refuse the field.
///
/// T is float or double; Relevance is any arithmetic type except long double.
template <score T, relevance_number Relevance = T>
struct list_batch {
  using score_type = T;
  using relevance_type = Relevance;

  array_view<const T> scores;             ///< [items] any finite number; infinities as each loss documents
  array_view<const Relevance> relevance;  ///< [items] grade or gain, as each loss documents
  indices offsets{};                      ///< [lists + 1] non-decreasing, from 0 to the number of items
  reals list_weights{};                   ///< [lists] >= 0, finite; empty: all 1
  reals item_weights{};                   ///< [items] >= 0, finite; empty: all 1
  std::size_t length = 0;                 ///< dense form: items in each list; 0: ragged form
  std::size_t stride = 0;                 ///< dense form: items from a list to the next; 0: length
  indices lengths{};                      ///< [lists] dense form: items that count; empty: all
  flags mask{};                           ///< [items] zero: the item takes no part; empty: all count
  flags missed{};                         ///< [items] not zero: the item has no rank; empty: all have one
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// similarity_batch: a matrix of similarities between rows (queries of one kind) and columns (queries of the
/// other kind), as views of the host's own memory.
///
/// Which pairs match is defined by the first of these that is given: `matches`; `row_classes` and
/// `column_classes` (equal ids match); neither (row i matches column i, and the matrix is square).
///
/// A matrix_view, or a matrix of Eigen or xtensor, has its own rows, columns and strides. Each field may have
/// a different layout: column-major, transposed or a block. It is read in place, and (i, j) is row i and
/// column j of every field. In plain arrays the rows follow one another; those of `similarity` are `stride`
/// apart, and `rows` and `columns` must be given.
///
/// Without `relevance` it is 1 for matching pairs and 0 for others. Without `column_relevance` columns use
/// `relevance`.
///
/// Pairs that `mask` leaves out take no part, whatever they hold, and their outputs are 0: pairs without a
/// judgement, or suspected false negatives. `without_diagonal` leaves out the pairs (i, i), for the
/// similarities of one set of items with itself; which pairs match is then said by matches or classes. Pairs
/// with equal `row_ids` and `column_ids` that do not match take no part either: the column holds the same
/// item as the match of the row, by accident.
///
/// `row_probabilities` and `column_probabilities` are for losses that correct for how the items of a batch
/// were sampled (info_nce); other losses refuse them.
template <score T, relevance_number Relevance = T>
struct similarity_batch {
  using score_type = T;
  using relevance_type = Relevance;

  shaped<array_view<const T>> similarity;           ///< [rows, columns] any finite number
  std::size_t rows = 0;                             ///< 0: those of similarity
  std::size_t columns = 0;                          ///< 0: those of similarity
  std::size_t stride = 0;                           ///< items from a row to the next; 0: columns
  shaped<flags> matches{};                          ///< [rows, columns] not zero where the pair matches
  indices row_classes{};                            ///< [rows] class id
  indices column_classes{};                         ///< [columns] class id
  shaped<array_view<const Relevance>> relevance{};  ///< [rows, columns] of a column for a row
  shaped<array_view<const Relevance>> column_relevance{};  ///< [rows, columns] of a row for a column
  shaped<flags> mask{};           ///< [rows, columns] zero: the pair takes no part; empty: all do
  bool without_diagonal = false;  ///< pairs (i, i) take no part; for a square matrix
  bool extra_columns = false;     ///< columns behind the first `rows` match by index no row: more negatives
  indices row_ids{};              ///< [rows] id of the item that the row matches
  indices column_ids{};           ///< [columns] id of the item that the column holds
  reals row_probabilities{};      ///< [rows] of being sampled, from 1e-300 to 1
  reals column_probabilities{};   ///< [columns] of being sampled, from 1e-300 to 1
  reals row_weights{};            ///< [rows] >= 0, finite; empty: all 1
  reals column_weights{};         ///< [columns] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// outputs: what `evaluate` writes besides the value that it returns. Empty outputs are not written.
///
/// `per_list` holds the values of the lists before weights and scale; for a matrix these are the rows and
/// then the columns. `scale` is an upstream gradient or the weight of a loss. Only some losses have a Hessian
/// (`has_hessian`). A gradient or Hessian that is a plain array has the layout of the scores. That of a
/// similarity matrix may also be a matrix with any strides; the entry of (i, j) is written to its (i, j).
/// `temperature_gradient` and `bias_gradient` are for losses whose temperature or bias is learned
/// (`has_temperature_gradient`, `has_bias_gradient`). Outputs must not overlap inputs or each other.
struct outputs {
  shaped<real_output> gradient{};                         ///< scale * d(value) / d(score)
  array_view<double> per_list{};                          ///< [lists] or [rows + columns]: their values
  shaped<real_output> hessian{};                          ///< scale * d2(value) / d(score)^2, the diagonal
  double scale = 1.0;                                     ///< factor on the derivatives, not on per_list
  rankloss::update update = rankloss::update::overwrite;  ///< of the derivatives
  double* temperature_gradient = nullptr;                 ///< scale * d(value) / d(temperature); null: none
  double* bias_gradient = nullptr;                        ///< scale * d(value) / d(bias); null: none
};

namespace detail {

template <bool Columns, class Scores, class Relevance>
[[nodiscard]] auto lists_of_lines(const Scores& scores, const Relevance& relevance) {
  const matrix_view s = matrix_of_lines<Columns>(scores);
  const matrix_view y = matrix_of_lines<Columns>(relevance);
  require(s.rows() == y.rows() && s.columns() == y.columns(), "relevance: ", y.rows(), " lists of ",
          y.columns(), " items, expected ", s.rows(), " of ", s.columns(), ", as the scores have");
  require(s.rows() <= 1 || s.row_stride() == y.row_stride(), "relevance: lists ", y.row_stride(),
          " items apart, expected ", s.row_stride(), ", as those of the scores are");
  return list_batch<std::remove_cvref_t<decltype(*s.data())>, std::remove_cvref_t<decltype(*y.data())>>{
      .scores = {s.data(), matrix_shape::of(s).extent()},
      .relevance = {y.data(), matrix_shape::of(y).extent()},
      .length = s.columns(),
      .stride = s.rows() <= 1 ? std::size_t{0} : s.row_stride()};
}

}  // namespace detail

/// row_lists: the dense batch whose lists are the rows of two matrices, each of which may be a block of a
/// larger one. The other fields of the batch and the outputs are arrays of the same layout:
/// `rows_of(matrix)`.
///
///     auto batch = rankloss::row_lists(scores, relevance);
///     batch.mask = rankloss::rows_of(mask);
///     rankloss::evaluate(loss, batch, {.gradient = rankloss::rows_of(gradient)}, context);
///
/// Matrices without columns make one empty list.
/// @throws std::invalid_argument when the items of a row are not contiguous, or when the matrices differ in
/// rows, columns or row stride.
template <class Scores, class Relevance>
[[nodiscard]] auto row_lists(Scores&& scores, Relevance&& relevance) {
  detail::expect_matrix_that_stays<Scores>();
  detail::expect_matrix_that_stays<Relevance>();
  return detail::lists_of_lines<false>(scores, relevance);
}

/// column_lists: the same for column-major matrices, whose columns are the lists.
template <class Scores, class Relevance>
[[nodiscard]] auto column_lists(Scores&& scores, Relevance&& relevance) {
  detail::expect_matrix_that_stays<Scores>();
  detail::expect_matrix_that_stays<Relevance>();
  return detail::lists_of_lines<true>(scores, relevance);
}

/// list: one list of a batch, as a loss receives it.
template <class T, class Relevance>
struct list {
  strided<const T> scores;             ///< [n]
  strided<const Relevance> relevance;  ///< [n], or [n + missed] for metrics that count missed items
  strided<const double> weights{};     ///< layout of relevance, or empty: all 1
  std::size_t number = 0;              ///< index of the list in its batch, from 0: a key of random numbers

  [[nodiscard]] std::size_t size() const noexcept { return scores.size(); }
  [[nodiscard]] std::size_t size_with_missed() const noexcept { return relevance.size(); }
};

/// list_outputs: where a loss writes its results for one list; empty outputs are not wanted.
template <class T>
struct list_outputs {
  strided<T> gradient{};                   ///< [n]
  strided<T> hessian{};                    ///< [n]
  double* temperature_gradient = nullptr;  ///< d(value) / d(temperature), for losses that have it
  double* bias_gradient = nullptr;         ///< d(value) / d(bias), for losses that have it
};

}  // namespace rankloss::inline RANKLOSS_ABI
