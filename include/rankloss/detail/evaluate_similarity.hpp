// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/finite.hpp>
#include <rankloss/evaluate.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether row i matches column j: by mask, by class, or by position.
template <class T, class R>
[[nodiscard]] bool matching(const similarity_batch<T, R>& batch, std::size_t i, std::size_t j) {
  if (!batch.matches.empty()) return batch.matches[i * batch.columns + j];
  if (!batch.row_classes.empty()) return batch.row_classes[i] == batch.column_classes[j];
  return i == j;
}

template <class T, class R>
[[nodiscard]] std::size_t row_stride(const similarity_batch<T, R>& batch) {
  return batch.stride > 0 ? batch.stride : batch.columns;
}

/// What the lists of a matrix are ranked by.
enum class grades {
  matches,           ///< 1 where the pair matches, else 0
  relevance,         ///< the batch's relevance, each direction with its own where it has one; matches where it has none
  relevance_as_rows  ///< column j takes the relevance of row j: the form of arXiv 2305.16566; square matrices
};

/// The rows or the columns of a similarity_batch, as list_run reads them.
template <class T, class R>
class matrix_source {
 public:
  using score_type = T;
  using relevance_type = R;

  matrix_source(const similarity_batch<T, R>& batch, bool columns, grades kind)
      : batch_(batch), columns_(columns), stride_(row_stride(batch)), grades_(kind) {
    if (kind == grades::matches) return;
    grade_ = columns && kind == grades::relevance && !batch.column_relevance.empty() ? batch.column_relevance.data() : batch.relevance.data();
  }

  [[nodiscard]] std::size_t lists() const { return columns_ ? batch_.columns : batch_.rows; }
  [[nodiscard]] std::size_t size(std::size_t) const { return columns_ ? batch_.rows : batch_.columns; }
  [[nodiscard]] std::pair<std::size_t, std::ptrdiff_t> place(std::size_t l) const {
    if (columns_) return {l, static_cast<std::ptrdiff_t>(stride_)};
    return {l * stride_, 1};
  }
  [[nodiscard]] strided<const T> scores(std::size_t l) const {
    if (size(l) == 0) return {};  // the host may have no memory for a matrix without entries
    const auto [first, step] = place(l);
    return {batch_.similarity.data() + first, size(l), step};
  }
  [[nodiscard]] strided<const R> relevance(std::size_t l, workspace& scratch) const {
    if (grade_ != nullptr && size(l) > 0) {
      if (!columns_ || grades_ == grades::relevance_as_rows) return {grade_ + l * batch_.columns, size(l)};
      return {grade_ + l, size(l), static_cast<std::ptrdiff_t>(batch_.columns)};
    }
    const std::span<R> own = scratch.take<R>(size(l));
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<R>(columns_ ? matching(batch_, i, l) : matching(batch_, l, i));
    return {own.data(), own.size()};
  }
  [[nodiscard]] strided<const double> weights(std::size_t, workspace&) const { return {}; }
  [[nodiscard]] double list_weight(std::size_t l) const {
    const reals& weights = columns_ ? batch_.column_weights : batch_.row_weights;
    return weights.empty() ? 1.0 : weights[l];
  }
  [[nodiscard]] std::size_t padding(std::size_t) const { return 0; }
  [[nodiscard]] bool masked() const { return false; }
  [[nodiscard]] bool kept(std::size_t, std::size_t) const { return true; }
  [[nodiscard]] bool any_missed() const { return false; }
  [[nodiscard]] bool missed(std::size_t, std::size_t) const { return false; }

 private:
  const similarity_batch<T, R>& batch_;
  bool columns_;
  std::size_t stride_;
  grades grades_;
  const R* grade_ = nullptr;
};

template <class T, class R>
void check_shape(const similarity_batch<T, R>& batch, const outputs& out) {
  const std::size_t rows = batch.rows;
  const std::size_t columns = batch.columns;
  const std::size_t stride = row_stride(batch);
  const std::size_t pairs = rows * columns;
  require(stride >= columns, "stride: ", stride, ", expected at least columns ", columns);
  const std::size_t least = pairs == 0 ? 0 : (rows - 1) * stride + columns;
  const std::size_t size = batch.similarity.size();
  require(size == least || size == rows * stride, "similarity: size ", size, ", expected ", rows * stride, " (rows ", rows, " at stride ", stride,
          ")");
  const auto per_pair = [&](std::string_view field, std::size_t given) {
    require(given == 0 || given == pairs, field, ": size ", given, ", expected ", pairs, " (", rows, " rows of ", columns, " columns)");
  };
  per_pair("matches", batch.matches.size());
  per_pair("relevance", batch.relevance.size());
  per_pair("column_relevance", batch.column_relevance.size());
  require(batch.row_classes.empty() || batch.row_classes.size() == rows, "row_classes: size ", batch.row_classes.size(), ", expected ", rows,
          " (rows)");
  require(batch.column_classes.empty() || batch.column_classes.size() == columns, "column_classes: size ", batch.column_classes.size(), ", expected ",
          columns, " (columns)");
  require(pairs == 0 || batch.row_classes.empty() == batch.column_classes.empty(), "row_classes, column_classes: only one of them is given");
  require(batch.column_relevance.empty() || !batch.relevance.empty(), "column_relevance: given without relevance");
  check_output("gradient", out.gradient.size(), size, "one per similarity");
  check_output("hessian", out.hessian.size(), size, "one per similarity");
  check_output("per_list", out.per_list.size(), rows + columns, "rows, then columns");
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
}

/// Matching by position needs as many rows as columns.
template <class T, class R>
void check_matches(const similarity_batch<T, R>& batch) {
  require(batch.rows * batch.columns == 0 || !batch.matches.empty() || !batch.row_classes.empty() || batch.rows == batch.columns,
          "matches: none given for ", batch.rows, " rows and ", batch.columns, " columns, expected a square matrix, matches or classes");
}

/// Names the first bad item of a matrix, whose rows are `stride` apart; nothing is no matrix.
template <class T, class R, class Item, class Bad, class Expected>
void check_items(const similarity_batch<T, R>& batch, std::span<const Item> items, std::size_t stride, Bad bad, std::string_view field,
                 Expected expected) {
  for (std::size_t i = 0; i < batch.rows && !items.empty(); ++i) {
    const strided<const Item> row(items.data() + i * stride, batch.columns);
    const std::size_t j = find_first(row, bad);
    if (j < batch.columns) fail(field, ": ", static_cast<double>(row[j]), " at row ", i, ", column ", j, ", expected ", expected(row[j]));
  }
}
template <class Loss, class T, class R>
void check_values(const Loss& loss, const similarity_batch<T, R>& batch) {
  check_items(
      batch, std::span<const T>(batch.similarity), row_stride(batch), [](const T& s) { return is_nan(s); }, "similarity", [](T) { return "a number"; });
  const auto refused = [&](const R& y) { return refuses_relevance(loss, y); };
  const auto expected = [&](const R& y) { return expected_relevance(loss, y, "; a matrix has no mask: give pairs without judgement 0"); };
  check_items(batch, std::span<const R>(batch.relevance), batch.columns, refused, "relevance", expected);
  check_items(batch, std::span<const R>(batch.column_relevance), batch.columns, refused, "column_relevance", expected);
}

/// A list loss over the rows and over the columns of a matrix: the mean of the two directions' means, or under reduction::sum their sum.
template <class Loss, class T, class R>
double run_both_directions(const Loss& loss, const similarity_batch<T, R>& batch, grades kind, const outputs& out, context& ctx, double share) {
  const double direction = batch.reduction == reduction::sum ? share : 0.5 * share;
  outputs rows_out = out;
  outputs columns_out = out;
  columns_out.update = update::add;
  if (!out.per_list.empty()) {
    rows_out.per_list = out.per_list.first(batch.rows);
    columns_out.per_list = out.per_list.last(batch.columns);
  }
  const matrix_source<T, R> rows(batch, false, kind);
  const matrix_source<T, R> columns(batch, true, kind);
  const double by_rows = list_run<Loss, matrix_source<T, R>>(loss, rows, batch.reduction, rows_out, ctx)(direction);
  return held_sum(by_rows, list_run<Loss, matrix_source<T, R>>(loss, columns, batch.reduction, columns_out, ctx)(direction));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail

namespace rankloss::inline RANKLOSS_ABI {

template <class Loss, score T, class Relevance>
requires similarity_loss<Loss, T, Relevance>
double evaluate(const Loss& loss, const similarity_batch<T, Relevance>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_shape(batch, out);
  if constexpr (requires { loss.validate(batch); }) loss.validate(batch);
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("row_weights", batch.row_weights, batch.rows, "row", check);
  detail::check_weights("column_weights", batch.column_weights, batch.columns, "column", check);
  if (check) detail::check_values(loss, batch);
  return loss.run(batch, out, ctx, 1.0);
}

}  // namespace rankloss::inline RANKLOSS_ABI
