// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// similarity_batch: a matrix of similarities between rows and columns in the memory of a device. Its fields mean
/// what those of the rankloss::similarity_batch of the same names mean; all arrays are in the order of rows, and
/// rows and columns must be given.
template <score T, relevance_number Relevance = T>
struct similarity_batch {
  using score_type = T;
  using relevance_type = Relevance;

  device_span<const T> similarity;  ///< [rows, columns] any finite number
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;                    ///< items from a row of similarity to the next; 0: columns
  device_flags matches{};                    ///< [rows, columns] not zero where the pair matches
  device_indices row_classes{};              ///< [rows] class id
  device_indices column_classes{};           ///< [columns] class id
  device_span<const Relevance> relevance{};  ///< [rows, columns] of a column for a row
  device_span<const Relevance> column_relevance{};  ///< [rows, columns] of a row for a column
  device_flags mask{};            ///< [rows, columns] zero: the pair takes no part; empty: all do
  bool without_diagonal = false;  ///< pairs (i, i) take no part; for a square matrix
  bool extra_columns = false;     ///< columns behind the first `rows` match by index no row: more negatives
  device_indices row_ids{};       ///< [rows] id of the item that the row matches
  device_indices column_ids{};    ///< [columns] id of the item that the column holds
  device_reals row_probabilities{};     ///< [rows] of being sampled, from 1e-300 to 1
  device_reals column_probabilities{};  ///< [columns] of being sampled, from 1e-300 to 1
  device_reals row_weights{};           ///< [rows] >= 0, finite; empty: all 1
  device_reals column_weights{};        ///< [columns] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

namespace detail {

/// Checks what the host knows of a batch, in the words of rankloss::evaluate.
template <class T, class R>
void check_shape(const similarity_batch<T, R>& batch, const outputs<T>& out) {
  using rankloss::detail::check_optional;
  using rankloss::detail::count_of;
  using rankloss::detail::require;
  constexpr auto longest = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  const std::size_t rows = batch.rows, columns = batch.columns, pairs = count_of(rows, columns);
  const std::size_t size = batch.similarity.size(), stride = batch.stride > 0 ? batch.stride : columns;
  require(stride >= columns, "stride: ", stride, ", expected at least columns ", columns);
  require(size == rankloss::detail::extent_of(rows, columns, stride) || size == count_of(rows, stride),
          "similarity: size ", size, ", expected ", count_of(rows, stride), " (rows ", rows, " at stride ",
          stride, ")");
  require(rows <= longest && columns <= longest,
          rows > longest ? "rows: " : "columns: ", rows > longest ? rows : columns,
          ", expected at most 2^31 - 1 on a device");
  const auto per_pair = [&](std::string_view field, std::size_t given) {
    require(given == 0 || given == pairs, field, ": size ", given, ", expected ", pairs, " (", rows,
            " rows of ", columns, " columns)");
  };
  per_pair("matches", batch.matches.size());
  per_pair("mask", batch.mask.size());
  require(!batch.without_diagonal || rows == columns, "without_diagonal: given for ", rows, " rows and ",
          columns, " columns, expected a square matrix");
  per_pair("relevance", batch.relevance.size());
  per_pair("column_relevance", batch.column_relevance.size());
  check_optional("row_classes", batch.row_classes.size(), rows, "rows");
  check_optional("column_classes", batch.column_classes.size(), columns, "columns");
  const auto both_or_none = [&](std::string_view fields, bool of_rows, bool of_columns) {
    require(pairs == 0 || of_rows == of_columns, fields, ": only one of them is given");
  };
  both_or_none("row_classes, column_classes", batch.row_classes.empty(), batch.column_classes.empty());
  check_optional("row_ids", batch.row_ids.size(), rows, "rows");
  check_optional("column_ids", batch.column_ids.size(), columns, "columns");
  both_or_none("row_ids, column_ids", batch.row_ids.empty(), batch.column_ids.empty());
  require(batch.column_relevance.empty() || !batch.relevance.empty(),
          "column_relevance: given without relevance");
  check_optional("value", out.value.size(), 1, "one per batch");
  refuse_hessian(out);
  check_optional("gradient", out.gradient.size(), size, "one per similarity");
  check_optional("per_list", out.per_list.size(), rows + columns, "rows, then columns");
  check_optional("temperature_gradient", out.temperature_gradient.size(), 1, "one per batch");
  check_optional("bias_gradient", out.bias_gradient.size(), 1, "one per batch");
  require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  const auto check_weights = [&](std::string_view field, std::size_t given, std::size_t expected,
                                 std::string_view unit) {
    require(given == 0 || given == expected, field, ": size ", given, ", expected ", expected, " (one per ",
            unit, ")");
  };
  check_weights("row_weights", batch.row_weights.size(), rows, "row");
  check_weights("column_weights", batch.column_weights.size(), columns, "column");
  check_weights("row_probabilities", batch.row_probabilities.size(), rows, "row");
  check_weights("column_probabilities", batch.column_probabilities.size(), columns, "column");
}

/// Matching by index needs as many rows as columns.
template <class T, class R>
void check_matches(const similarity_batch<T, R>& batch) {
  using rankloss::detail::require;
  const bool by_index = batch.matches.empty() && batch.row_classes.empty();
  require(!batch.extra_columns || (by_index && batch.rows <= batch.columns), "extra_columns: given for ",
          batch.rows, " rows and ", batch.columns, " columns", by_index ? "" : " with matches or classes",
          ", expected at least as many columns as rows, and matches by index");
  require(batch.rows * batch.columns == 0 || !by_index || batch.extra_columns || batch.rows == batch.columns,
          "matches: none given for ", batch.rows, " rows and ", batch.columns,
          " columns, expected a square matrix, extra_columns, matches or classes");
  require(batch.rows == 0 || !batch.without_diagonal || !by_index,
          "without_diagonal: leaves out every match, expected matches or classes");
}

}  // namespace detail

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <class Loss, score T, class Relevance>
[[nodiscard]] std::size_t scratch_bytes(const Loss& loss, const similarity_batch<T, Relevance>& batch) {
  using batch_type = similarity_batch<T, Relevance>;
  detail::expect_engine<Loss, batch_type>();
  if constexpr (detail::has_engine<Loss, batch_type>) {
    detail::check_shape(batch, outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of a similarity loss over a matrix, and its
/// gradient by the similarities, in the memory of the device: of losses of matches that have a kernel, such as
/// `info_nce`, and `bidirectional<Loss>` of every list loss that has one. The same words as for a matrix in the memory
/// of the host; per_list receives the values of the rows, then of the columns.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - A loss of matches reads the matrix tile by tile, once for each look at it and once for the gradient. Scratch:
///   O(rows + columns), and the sums of some 2^22 pairs.
/// - The lists of a direction that a list loss computes, or `fast_ap`, or `triplet` unless it mines the hardest
///   negatives, are laid out side by side in scratch, the columns transposed, with their relevance; then they are
///   computed as the lists of a dense list_batch. Scratch: two numbers of T and one of relevance for each pair, a byte
///   more where pairs may be left out, and what the list loss takes.
/// - Edge cases: as on the host, but for bad numbers, which `context::check` reports. Value, gradients and per_list
///   of a batch that has one are NaN.
/// @throws as `evaluate` of lists on a device.
template <class Loss, score T, class Relevance>
void evaluate(const Loss& loss, const cuda::similarity_batch<T, Relevance>& batch,
              const cuda::outputs<T>& out, cuda::context& ctx) {
  using batch_type = cuda::similarity_batch<T, Relevance>;
  cuda::detail::expect_engine<Loss, batch_type>();
  if constexpr (cuda::detail::has_engine<Loss, batch_type>) {
    rankloss::validate(loss);
    if constexpr (!detail::gives_gradient<Loss>)
      detail::require(out.gradient.empty(), "gradient: a metric has none, expected an empty output");
    cuda::detail::check_option_gradients<Loss>(out);
    cuda::detail::check_shape(batch, out);
    cuda::detail::check_probabilities<Loss>(batch);
    if (batch.relevance.empty()) cuda::detail::check_matches(batch);
    engine<Loss, cuda::context>::run(loss, batch, out, ctx);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI
