// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::cuda {

template <score T>
struct embedding_batch;
template <score T>
struct embedding_outputs;

namespace detail {

/// Whether the columns are the rows.
template <class T>
[[nodiscard]] bool compares_with_itself(const embedding_batch<T>& batch) noexcept {
  return batch.column_embeddings.empty() && batch.columns == 0;
}
template <class T>
[[nodiscard]] std::size_t columns_of(const embedding_batch<T>& batch) noexcept {
  return compares_with_itself(batch) ? batch.rows : batch.columns;
}
template <class T>
[[nodiscard]] const device_reals& column_probabilities_of(const embedding_batch<T>& batch) noexcept {
  return compares_with_itself(batch) ? batch.row_probabilities : batch.column_probabilities;
}
/// Whether vectors of a side are taken with length 1. Lists of projections are not, and their items are.
template <class T>
[[nodiscard]] bool takes_unit_vectors(const embedding_batch<T>& batch, bool columns,
                                      directions over) noexcept {
  if (batch.similarity == similarity::projection)
    return columns ? over == directions::rows : over == directions::columns;
  return batch.similarity == similarity::cosine;
}
/// Whether similarities are others for rows than for columns.
template <class T>
[[nodiscard]] bool differs_by_direction(const embedding_batch<T>& batch, directions over) noexcept {
  return batch.similarity == similarity::projection && over == directions::both;
}
/// Whether pairs match by index, and not by matches or by class.
template <class T>
[[nodiscard]] bool by_index(const embedding_batch<T>& batch) noexcept {
  return batch.matches.empty() && batch.row_classes.empty();
}

inline void check_vectors(std::string_view field, std::size_t size, std::string_view count_field,
                          std::size_t count, std::size_t dimension, std::string_view stride_field,
                          std::size_t stride) {
  using rankloss::detail::extent_of;
  using rankloss::detail::require;
  const auto product = [](std::size_t a, std::size_t b) { return rankloss::detail::count_of(a, b); };
  require(size == 0 || (count > 0 && dimension > 0), count > 0 ? "dimension" : count_field,
          ": 0, expected that of ", field, ", a plain array of ", size, " components");
  const std::size_t apart = stride > 0 ? stride : dimension;
  require(apart >= dimension, stride_field, ": ", stride, ", expected at least the dimension ", dimension);
  require(size == extent_of(count, dimension, apart) || size == product(count, apart), field, ": size ", size,
          ", expected ", product(count, apart), " (", count, " vectors of ", dimension, " components)");
}

inline void check_gradient(std::string_view field, std::size_t size, std::size_t count, std::size_t dimension,
                           bool first_ones) {
  using rankloss::detail::require;
  if (size == 0) return;
  require(dimension > 0 && size % dimension == 0, field, ": size ", size, ", expected vectors of ", dimension,
          " components");
  const std::size_t given = size / dimension;
  require(given == count || (first_ones && given < count), field, ": ", given, " vectors, expected ", count,
          first_ones ? " or fewer" : "");
}

/// Checks what the host knows of a batch, in the words of rankloss::evaluate.
template <class T>
void check_shape(const embedding_batch<T>& batch, const embedding_outputs<T>& out) {
  using rankloss::detail::check_optional;
  using rankloss::detail::require;
  const bool self = compares_with_itself(batch);
  const std::size_t rows = batch.rows, columns = columns_of(batch), d = batch.dimension;
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  require(rows <= most && columns <= most && d <= most, "rows, columns, dimension: ", rows, ", ", columns,
          ", ", d, ", expected at most 2^31 - 1");
  check_vectors("row_embeddings", batch.row_embeddings.size(), "rows", rows, d, "row_stride",
                batch.row_stride);
  require(d > 0 || rows == 0, "dimension: 0, expected at least 1");
  require(columns == 0 || d == 0 || self || !batch.column_embeddings.empty(), "columns: ", columns,
          " without column_embeddings, expected them, or 0: the rows are compared with themselves");
  if (self) {
    require(
        rows == 0 || !by_index(batch),
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
    require(batch.column_stride == 0, "column_stride: ", batch.column_stride,
            " without column_embeddings, expected none");
  } else {
    check_vectors("column_embeddings", batch.column_embeddings.size(), "columns", columns, d, "column_stride",
                  batch.column_stride);
  }
  check_gradient("row_gradient", out.row_gradient.size(), rows, d, false);
  check_gradient("column_gradient", out.column_gradient.size(), columns, d, true);
  check_optional("per_list", out.per_list.size(), rows + columns, "rows, then columns");
  check_optional("value", out.value.size(), 1, "one per batch");
  check_optional("temperature_gradient", out.temperature_gradient.size(), 1, "one per batch");
  check_optional("bias_gradient", out.bias_gradient.size(), 1, "one per batch");
  require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");

  require(batch.prefix_weights.empty() || batch.prefix_weights.size() == batch.prefixes.size(),
          "prefix_weights: size ", batch.prefix_weights.size(), ", expected ", batch.prefixes.size(),
          " (one per prefix)");
  for (std::size_t k = 0; k < batch.prefixes.size(); ++k)
    require(batch.prefixes[k] >= 1 && static_cast<std::size_t>(batch.prefixes[k]) <= d,
            "prefixes: ", batch.prefixes.number(k), " at prefix ", k, ", expected 1 to the dimension ", d);

  const std::size_t pairs = rankloss::detail::count_of(rows, columns);
  const auto per_pair = [&](std::string_view field, std::size_t given) {
    require(given == 0 || given == pairs, field, ": size ", given, ", expected ", pairs, " (", rows,
            " rows of ", columns, " columns)");
  };
  per_pair("matches", batch.matches.size());
  per_pair("mask", batch.mask.size());
  require(!batch.without_diagonal || rows == columns, "without_diagonal: given for ", rows, " rows and ",
          columns, " columns, expected a square matrix");
  check_optional("row_classes", batch.row_classes.size(), rows, "rows");
  if (!self) check_optional("column_classes", batch.column_classes.size(), columns, "columns");
  const auto both_or_none = [&](std::string_view fields, bool of_rows, bool of_columns) {
    require(self || pairs == 0 || of_rows == of_columns, fields, ": only one of them is given");
  };
  both_or_none("row_classes, column_classes", batch.row_classes.empty(), batch.column_classes.empty());
  check_optional("row_ids", batch.row_ids.size(), rows, "rows");
  if (!self) check_optional("column_ids", batch.column_ids.size(), columns, "columns");
  both_or_none("row_ids, column_ids", batch.row_ids.empty(), batch.column_ids.empty());
  const bool by_index = detail::by_index(batch);
  require(!batch.extra_columns || (by_index && rows <= columns), "extra_columns: given for ", rows,
          " rows and ", columns, " columns", by_index ? "" : " with matches or classes",
          ", expected at least as many columns as rows, and matches by index");
  require(rows * columns == 0 || !by_index || batch.extra_columns || rows == columns,
          "matches: none given for ", rows, " rows and ", columns,
          " columns, expected a square matrix, extra_columns, matches or classes");
  require(rows == 0 || !batch.without_diagonal || !by_index,
          "without_diagonal: leaves out every match, expected matches or classes");
  const auto check_weights = [](std::string_view field, const device_reals& weights, std::size_t expected,
                                std::string_view unit) {
    require(weights.empty() || weights.size() == expected, field, ": size ", weights.size(), ", expected ",
            expected, " (one per ", unit, ")");
  };
  check_weights("row_weights", batch.row_weights, rows, "row");
  check_weights("column_weights", batch.column_weights, columns, "column");
  check_weights("row_probabilities", batch.row_probabilities, rows, "row");
  check_weights("column_probabilities", batch.column_probabilities, columns, "column");
}

}  // namespace detail
}  // namespace rankloss::inline RANKLOSS_ABI::cuda
