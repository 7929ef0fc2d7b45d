// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/relevance_tiles.hpp>
#include <rankloss/vectors.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

struct embedding_outputs;

/// embedding_batch: embeddings of rows (queries of one kind) and of columns (queries of the other kind), as
/// views of the host's own memory. Their similarities are what a similarity_batch holds; here they are
/// computed in panels of some rows or columns at a time, so that no matrix of all of them is ever in memory.
///
/// The embeddings are matrices with any strides: a matrix_view, or a matrix of Eigen; or plain arrays, whose
/// vectors are `row_stride` and `column_stride` apart, and then `rows`, `columns` and `dimension` must be
/// given. Components are of type T, in which products are formed, or of type `half` or `bfloat16`, which are
/// widened to T.
///
/// Without `column_embeddings` the rows are compared with themselves: the columns are the rows, with the same
/// classes, ids and probabilities, and `without_diagonal` says that no item is compared with itself. Which
/// pairs match is then said by matches or classes.
///
/// Rows have no projection onto themselves. A vector that is compared with others as a row and as a column
/// has the sum of both gradients.
///
/// `prefixes` are numbers of leading components, as in Matryoshka representation learning: the value is the
/// sum over them of prefix_weights[k] times the value for the first prefixes[k] components.
///
/// All other fields are those of a similarity_batch. `computed_relevance` does not go with
/// `reduction::mean_of_relevant`: which lists are relevant would be known too late.
template <score T, relevance_number Relevance = T>
struct embedding_batch {
  using score_type = T;
  using relevance_type = Relevance;
  using outputs_type = embedding_outputs;

  shaped<vectors<T>> row_embeddings;       ///< [rows, dimension] finite
  shaped<vectors<T>> column_embeddings{};  ///< [columns, dimension] finite; empty: those of the rows
  std::size_t rows = 0;                    ///< 0: those of row_embeddings
  std::size_t columns = 0;                 ///< 0: those of column_embeddings
  std::size_t dimension = 0;               ///< 0: that of row_embeddings
  std::size_t row_stride = 0;              ///< components from a row to the next; 0: dimension
  std::size_t column_stride = 0;           ///< components from a column to the next; 0: dimension
  rankloss::similarity similarity = rankloss::similarity::cosine;
  indices prefixes{};                               ///< [prefixes] from 1 to dimension; empty: the dimension
  reals prefix_weights{};                           ///< [prefixes] >= 0, finite; empty: all 1
  shaped<flags> matches{};                          ///< [rows, columns] not zero where the pair matches
  indices row_classes{};                            ///< [rows] class id
  indices column_classes{};                         ///< [columns] class id
  shaped<array_view<const Relevance>> relevance{};  ///< [rows, columns] of a column for a row
  shaped<array_view<const Relevance>> column_relevance{};  ///< [rows, columns] of a row for a column
  relevance_tiles<Relevance> computed_relevance{};         ///< instead of relevance, where it is needed
  shaped<flags> mask{};           ///< [rows, columns] zero: the pair takes no part; empty: all do
  bool without_diagonal = false;  ///< pairs (i, i) take no part; for as many columns as rows
  bool extra_columns = false;     ///< columns behind the first `rows` match by index no row: more negatives
  indices row_ids{};              ///< [rows] id of the item that the row matches
  indices column_ids{};           ///< [columns] id of the item that the column holds
  reals row_probabilities{};      ///< [rows] of being sampled, from 1e-300 to 1
  reals column_probabilities{};   ///< [columns] of being sampled, from 1e-300 to 1
  reals row_weights{};            ///< [rows] >= 0, finite; empty: all 1
  reals column_weights{};         ///< [columns] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// embedding_outputs: what `evaluate` writes besides the value that it returns. Empty outputs are not
/// written, and what only they need is not computed.
///
/// Gradients go through the normalisation where the similarity has one; that of a zero vector is 0. A
/// gradient that is a plain array has vectors one behind the other; a matrix may have any strides. Fewer
/// columns than there are in `column_gradient` mean that the others are constants, such as those of a memory.
struct embedding_outputs {
  shaped<real_output> row_gradient{};     ///< [rows, dimension] scale * d(value) / d(row embedding)
  shaped<real_output> column_gradient{};  ///< [columns or fewer, dimension] the same of the first columns
  /// [rows + columns] values of the rows, then of the columns; of several prefixes their weighted sums
  array_view<double> per_list{};
  double scale = 1.0;                                     ///< factor on the derivatives, not on per_list
  rankloss::update update = rankloss::update::overwrite;  ///< of the derivatives
  double* temperature_gradient = nullptr;                 ///< scale * d(value) / d(temperature); null: none
  double* bias_gradient = nullptr;                        ///< scale * d(value) / d(bias); null: none
};

/// evaluate: the value of a similarity loss over embeddings, and on request its gradients by them.
///
///     S[i, j]          = similarity of row i and column j
///     value            = evaluate(loss, similarity_batch of S)
///     row_gradient     = out.scale * d(value) / d(row_embeddings),      column_gradient likewise
///
/// - The loss is one of those of similarity matrices with a member `over`, `bidirectional` of a list loss, or
///   a `weighted_sum` of such. All terms of a sum share the products of one pass.
/// - Time: three products of rows x columns x dimension for each direction that the loss looks at, besides
///   the loss itself; `info_nce` over both directions takes four where rows match columns by index.
/// - Scratch O((rows + columns) dimension), and panels of 128 to 256 lists: 2 to 3 numbers for each of their
///   similarities. Products are formed by Eigen, which allocates memory of its own for each.
/// - Products are sums of T. Similarities by cosine are within 1e-6 (float) or 1e-15 (double) of the exact
///   ones; gradients within 1e-5 and 1e-12 of their largest entry. Copies of a vector may differ in the last
///   bit of their similarities, because a product sums in an order that depends on the place of an item; so
///   equally hard negatives, which share a slope, may not be told to be equal.
/// - The same bits for any executor and on every run. Lists of a panel, and parts of a product, run in
///   parallel.
/// - Edge cases: the similarity with a zero vector is 0 by cosine, and its gradient through the length is 0.
/// @throws as for similarity batches; moreover when components are not finite, or so large that a dot product
/// may exceed the largest number of T. Nothing is written before everything has been computed; an
/// executor that throws while gradients are written leaves them partly written.
template <class Loss, score T, class Relevance>
double evaluate(const Loss& loss, const embedding_batch<T, Relevance>& batch, const embedding_outputs& out,
                context& ctx);

/// evaluate on the calling thread with a context of its own, which allocates in each call.
template <class Loss, score T, class Relevance>
double evaluate(const Loss& loss, const embedding_batch<T, Relevance>& batch,
                const embedding_outputs& out = {}) {
  context ctx;
  return evaluate(loss, batch, out, ctx);
}

/// evaluate for the value alone.
template <class Loss, score T, class Relevance>
double evaluate(const Loss& loss, const embedding_batch<T, Relevance>& batch, context& ctx) {
  return evaluate(loss, batch, embedding_outputs{}, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/embedding_batch.hpp>
#endif
