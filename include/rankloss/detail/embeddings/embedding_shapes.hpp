// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/matrix_view.hpp>
#include <rankloss/options.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Where the embeddings of a batch and the gradients by them lie.
struct embedding_shapes {
  matrix_shape rows;
  matrix_shape columns;
  bool self = false;  ///< whether the columns are the rows
  matrix_shape row_gradient{};
  matrix_shape column_gradient{};
};

/// The vectors of a field: of the shape that it brings, or by the numbers of the batch.
template <class View>
[[nodiscard]] matrix_shape vectors_shape(std::string_view field, const shaped<View>& given,
                                         std::string_view count_field, std::size_t count,
                                         std::size_t dimension, std::string_view stride_field,
                                         std::size_t stride) {
  if (const auto& shape = given.shape()) {
    require(stride == 0, stride_field, ": ", stride, ", expected none: ", field,
            " is a matrix with strides of its own");
    require((count == 0 || shape->rows == count) && (dimension == 0 || shape->columns == dimension), field,
            ": ", shape->rows, " vectors of ", shape->columns, " components, expected ",
            count == 0 ? shape->rows : count, " of ", dimension == 0 ? shape->columns : dimension);
    return *shape;
  }
  require(given.empty() || (count > 0 && dimension > 0), count > 0 ? "dimension" : count_field,
          ": 0, expected that of ", field, ", a plain array of ", given.size(), " components");
  const std::size_t apart = stride > 0 ? stride : dimension;
  require(apart >= dimension, stride_field, ": ", stride, ", expected at least the dimension ", dimension);
  require(given.size() == extent_of(count, dimension, apart) || given.size() == count_of(count, apart), field,
          ": size ", given.size(), ", expected ", count_of(count, apart), " (", count, " vectors of ",
          dimension, " components)");
  return {count, dimension, apart, 1};
}

/// The shape of a gradient, whose vectors are the first of `of`.
[[nodiscard]] inline matrix_shape gradient_shape(std::string_view field, const shaped<real_output>& out,
                                                 const matrix_shape& of, bool first_ones) {
  if (out.empty()) return {0, of.columns, of.columns, 1};
  matrix_shape shape{of.columns == 0 ? 0 : out.size() / of.columns, of.columns, of.columns, 1};
  if (out.shape()) shape = *out.shape();
  require(shape.columns == of.columns, field, ": ", shape.rows, " vectors of ", shape.columns,
          " components, expected vectors of ", of.columns);
  require(out.shape() || out.size() == shape.rows * shape.columns, field, ": size ", out.size(),
          ", expected vectors of ", of.columns, " components");
  require(shape.rows == of.rows || (first_ones && shape.rows < of.rows), field, ": ", shape.rows,
          " vectors, expected ", of.rows, first_ones ? " or fewer" : "");
  require(shape.has_distinct_elements(), field, ": strides ", shape.row_stride, " and ", shape.column_stride,
          ", expected components of their own, none of which is written twice");
  return shape;
}

/// Requires sizes that fit each other. Batch is an embedding_batch, Outputs what is written of it.
template <class Batch, class Outputs>
[[nodiscard]] embedding_shapes shapes_of(const Batch& batch, const Outputs& out) {
  using kinds = options::choice<similarity>;
  if (!kinds::accepts(batch.similarity)) kinds::refuse("similarity", batch.similarity);
  embedding_shapes shapes;
  shapes.rows = vectors_shape("row_embeddings", batch.row_embeddings, "rows", batch.rows, batch.dimension,
                              "row_stride", batch.row_stride);
  if (shapes.rows.rows == 0 && shapes.rows.columns == 0)  // then the columns may know it
    if (const auto& shape = batch.column_embeddings.shape()) shapes.rows.columns = shape->columns;
  const std::size_t d = shapes.rows.columns;
  require(d > 0 || shapes.rows.rows == 0, "dimension: 0, expected at least 1");
  shapes.self = batch.column_embeddings.empty() && batch.columns == 0 && !batch.column_embeddings.shape();
  require(batch.columns == 0 || d == 0 || !batch.column_embeddings.empty() || batch.column_embeddings.shape(),
          "columns: ", batch.columns,
          " without column_embeddings, expected them, or 0: the rows are compared with themselves");
  require(batch.column_stride == 0 || !shapes.self, "column_stride: ", batch.column_stride,
          " without column_embeddings, expected none");
  if (shapes.self) {
    shapes.columns = shapes.rows;
    require(
        shapes.rows.rows == 0 || !batch.matches.empty() || !batch.row_classes.empty(),
        "column_embeddings: none given, and no matches or classes, expected columns, or classes of rows that "
        "are compared with themselves");
    require(
        batch.column_classes.empty() && batch.column_ids.empty() && batch.column_probabilities.empty(),
        "column_classes, column_ids, column_probabilities: given without column_embeddings, expected those of "
        "the rows alone");
    require(out.column_gradient.empty(),
            "column_gradient: given without column_embeddings, expected row_gradient alone");
    require(batch.similarity != similarity::projection,
            "similarity: projection of rows onto themselves, expected column_embeddings");
  } else {
    shapes.columns = vectors_shape("column_embeddings", batch.column_embeddings, "columns", batch.columns, d,
                                   "column_stride", batch.column_stride);
  }
  shapes.row_gradient = gradient_shape("row_gradient", out.row_gradient, shapes.rows, false);
  shapes.column_gradient = gradient_shape("column_gradient", out.column_gradient, shapes.columns, true);
  check_optional("per_list", out.per_list.size(), shapes.rows.rows + shapes.columns.rows,
                 "rows, then columns");
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  require(batch.prefix_weights.empty() || batch.prefix_weights.size() == batch.prefixes.size(),
          "prefix_weights: size ", batch.prefix_weights.size(), ", expected ", batch.prefixes.size(),
          " (one per prefix)");
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k)
    require(batch.prefixes[k] >= 1 && static_cast<std::size_t>(batch.prefixes[k]) <= d,
            "prefixes: ", batch.prefixes.number(k), " at prefix ", k, ", expected 1 to the dimension ", d);
  return shapes;
}

/// What a batch says of pairs, as a matrix without similarities.
template <class Batch>
[[nodiscard]] auto pairs_of(const Batch& batch, const embedding_shapes& shapes) {
  const bool self = shapes.self;
  return similarity_batch<typename Batch::score_type, typename Batch::relevance_type>{
      .similarity = {},
      .rows = shapes.rows.rows,
      .columns = shapes.columns.rows,
      .matches = batch.matches,
      .row_classes = batch.row_classes,
      .column_classes = self ? batch.row_classes : batch.column_classes,
      .relevance = batch.relevance,
      .column_relevance = batch.column_relevance,
      .mask = batch.mask,
      .without_diagonal = batch.without_diagonal,
      .extra_columns = batch.extra_columns,
      .row_ids = batch.row_ids,
      .column_ids = self ? batch.row_ids : batch.column_ids,
      .row_probabilities = batch.row_probabilities,
      .column_probabilities = self ? batch.row_probabilities : batch.column_probabilities,
      .row_weights = batch.row_weights,
      .column_weights = self && batch.column_weights.empty() ? batch.row_weights : batch.column_weights,
      .reduction = batch.reduction};
}

/// Requires computed relevance to be the only one, and not to be needed before or in another order.
template <class Loss, class Batch>
void check_computed_relevance(const Loss& loss, const Batch& batch) {
  if (batch.computed_relevance.empty()) return;
  require(batch.relevance.empty() && batch.column_relevance.empty(),
          "computed_relevance: given with relevance, expected one of them");
  require(batch.reduction != reduction::mean_of_relevant,
          "reduction: mean_of_relevant with computed_relevance, expected mean or sum: which lists are "
          "relevant is not known before");
  for_each_query(loss, 1.0, [&](const auto&, directions, list_relevance kind, double) {
    require(kind != list_relevance::relevance_as_rows,
            "columns_by: of_rows with computed_relevance, expected own");
  });
}

/// Requires finite components whose products stay finite.
template <class Batch>
void check_embeddings(const Batch& batch, const embedding_shapes& shapes) {
  using T = typename Batch::score_type;
  const double rows = embedding_side<T>(batch.row_embeddings, shapes.rows).check("row_embeddings", "row");
  const double columns =
      shapes.self
          ? rows
          : embedding_side<T>(batch.column_embeddings, shapes.columns).check("column_embeddings", "column");
  if (batch.similarity == similarity::cosine) return;
  // By halves of the exponent, so that the product itself cannot overflow.
  const double most = static_cast<double>(std::numeric_limits<T>::max());
  const double other = batch.similarity == similarity::dot ? columns : 1.0;
  // Twice as far as the exact sum may reach, so that neither its rounding nor a difference of two overflows.
  const double reach = 2.0 * static_cast<double>(std::max<std::size_t>(1, shapes.rows.columns));
  const auto fits = [&](double a, double b) { return a <= most / reach / std::max(1.0, b); };
  require(fits(rows, other) && fits(columns, batch.similarity == similarity::dot ? rows : 1.0),
          "row_embeddings, column_embeddings: components up to ", static_cast<T>(rows), " and ",
          static_cast<T>(columns),
          ", whose dot products may exceed the largest number of the type; expected smaller ones, or "
          "similarity::cosine");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
