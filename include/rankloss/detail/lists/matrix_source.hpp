// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/lists/list_block.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Where the elements of a matrix are: element (i, j) is at i * row + j * column.
struct pair_strides {
  std::size_t row;
  std::size_t column;

  [[nodiscard]] std::size_t at(std::size_t i, std::size_t j) const noexcept { return i * row + j * column; }
};

/// The strides of a field; a plain array, without a shape, has rows that are `stride` apart.
template <class View>
[[nodiscard]] pair_strides strides_of(const shaped<View>& field, std::size_t stride) {
  if (const auto& shape = field.shape()) return {shape->row_stride, shape->column_stride};
  return {stride, 1};
}
template <class T, class R>
[[nodiscard]] pair_strides similarity_strides(const similarity_batch<T, R>& batch) {
  return strides_of(batch.similarity, batch.stride > 0 ? batch.stride : batch.columns);
}
/// A plain output, without a shape, has the strides of the similarity.
template <class T, class R>
[[nodiscard]] pair_strides output_strides(const similarity_batch<T, R>& batch,
                                          const shaped<real_output>& out) {
  return out.shape() ? strides_of(out, 0) : similarity_strides(batch);
}

/// The batch with rows and columns set: where they are 0, the shape of the similarity, if any, gives them.
template <class T, class R>
[[nodiscard]] similarity_batch<T, R> with_shape(const similarity_batch<T, R>& batch) {
  similarity_batch<T, R> known = batch;
  if (const auto& shape = batch.similarity.shape()) {
    if (batch.rows == 0) known.rows = shape->rows;
    if (batch.columns == 0) known.columns = shape->columns;
  }
  return known;
}

/// Whether row i matches column j: by matches, by class, or by index.
template <class T, class R>
[[nodiscard]] bool matches_by_index(const similarity_batch<T, R>& batch) {
  return batch.matches.empty() && batch.row_classes.empty();
}
template <class T, class R>
[[nodiscard]] bool matching(const similarity_batch<T, R>& batch, std::size_t i, std::size_t j) {
  if (!batch.matches.empty()) return batch.matches[strides_of(batch.matches, batch.columns).at(i, j)];
  if (!batch.row_classes.empty()) return batch.row_classes[i] == batch.column_classes[j];
  return i == j;
}

/// Whether any pair may be left out, and whether one takes part.
template <class T, class R>
[[nodiscard]] bool leaves_out_pairs(const similarity_batch<T, R>& batch) {
  return !batch.mask.empty() || batch.without_diagonal || !batch.row_ids.empty();
}
template <class T, class R>
[[nodiscard]] bool keeps_pair(const similarity_batch<T, R>& batch, std::size_t i, std::size_t j) {
  if (batch.without_diagonal && i == j) return false;
  if (!batch.row_ids.empty() && batch.row_ids[i] == batch.column_ids[j] && !matching(batch, i, j))
    return false;
  return batch.mask.empty() || batch.mask[strides_of(batch.mask, batch.columns).at(i, j)];
}

/// The relevance of the items in the lists of a matrix.
enum class list_relevance {
  /// 1 where the pair matches, else 0.
  matches,
  /// The relevance of the batch, or the matches if it has none; columns use column_relevance if it is given.
  relevance,
  /// Column j takes the relevance of row j: the form of arXiv 2305.16566. For square matrices only.
  relevance_as_rows
};

/// The rows or the columns of a similarity_batch, as list_run reads them.
template <class T, class R>
class matrix_source {
 public:
  using score_type = T;
  using relevance_type = R;

  /// @param probabilities  whether the inverses of probabilities are the weights of items
  matrix_source(const similarity_batch<T, R>& batch, bool columns, list_relevance kind,
                bool probabilities = false)
      : batch_(batch),
        columns_(columns),
        strides_(similarity_strides(batch)),
        kind_(kind),
        probabilities_(!probabilities ? reals{}
                       : columns      ? batch.row_probabilities
                                      : batch.column_probabilities) {
    if (kind == list_relevance::matches) return;
    const auto& own = columns && kind == list_relevance::relevance && !batch.column_relevance.empty()
                          ? batch.column_relevance
                          : batch.relevance;
    relevance_ = own.data();
    relevance_strides_ = strides_of(own, batch.columns);
  }

  [[nodiscard]] std::size_t lists() const { return columns_ ? batch_.columns : batch_.rows; }
  [[nodiscard]] std::size_t size(std::size_t) const { return columns_ ? batch_.rows : batch_.columns; }
  [[nodiscard]] std::pair<std::size_t, std::ptrdiff_t> layout(std::size_t l,
                                                              const shaped<real_output>& out) const {
    return layout(l, output_strides(batch_, out), columns_);
  }
  [[nodiscard]] strided<const T> scores(std::size_t l) const {
    if (size(l) == 0) return {};  // the host may have no memory for a matrix without entries
    const auto [first, stride] = layout(l, strides_, columns_);
    return {batch_.similarity.data() + first, size(l), stride};
  }
  [[nodiscard]] strided<const R> relevance(std::size_t l, workspace& scratch) const {
    if (relevance_ != nullptr && size(l) > 0) {
      const auto [first, stride] =
          layout(l, relevance_strides_, columns_ && kind_ != list_relevance::relevance_as_rows);
      return {relevance_ + first, size(l), stride};
    }
    const std::span<R> own = scratch.take<R>(size(l));
    if (matches_by_index(batch_)) {
      std::fill(own.begin(), own.end(), R{0});
      if (l < own.size()) own[l] = R{1};
    } else {
      for (std::size_t i = 0; i < own.size(); ++i)
        own[i] = static_cast<R>(columns_ ? matching(batch_, i, l) : matching(batch_, l, i));
    }
    return {own.data(), own.size()};
  }
  /// The inverses of the probabilities of the items, where they are given.
  [[nodiscard]] strided<const double> weights(std::size_t l, workspace& scratch) const {
    if (probabilities_.empty()) return {};
    const std::span<double> inverse = scratch.take<double>(size(l));
    for (std::size_t i = 0; i < inverse.size(); ++i) inverse[i] = 1.0 / probabilities_[i];
    return {inverse.data(), inverse.size()};
  }
  [[nodiscard]] double list_weight(std::size_t l) const {
    return weight_of(columns_ ? batch_.column_weights : batch_.row_weights, l);
  }
  [[nodiscard]] std::size_t padding(std::size_t) const { return 0; }
  /// See interleaving_source.
  [[nodiscard]] bool interleaved() const {
    const auto items = scores_from(0);
    return items.next_list < items.next_item;
  }
  [[nodiscard]] bool interleaved_relevance() const {
    if (relevance_ == nullptr) return !batch_.matches.empty();  // classes and indices are not pairs
    const auto items = relevance_from(0);
    return items.next_list < items.next_item;
  }
  [[nodiscard]] interleaved_items<const T> scores_from(std::size_t l) const {
    return items_from(batch_.similarity.data(), l, strides_, columns_);
  }
  [[nodiscard]] interleaved_items<const R> relevance_from(std::size_t l) const {
    if (relevance_ == nullptr) return {nullptr, 0, 0};
    return items_from(relevance_, l, relevance_strides_,
                      columns_ && kind_ != list_relevance::relevance_as_rows);
  }
  [[nodiscard]] R relevance_at(std::size_t l, std::size_t i) const {
    return static_cast<R>(columns_ ? matching(batch_, i, l) : matching(batch_, l, i));
  }
  /// Whether the scores of neighbouring lists are neighbours in memory, and what is in memory of their relevance.
  [[nodiscard]] bool side_by_side() const {
    return scores_from(0).next_list == 1 && (relevance_ == nullptr || relevance_from(0).next_list == 1);
  }
  /// Then the relevance of item i of lists from l on, as many as `own` has room for: in place, or in `own`.
  [[nodiscard]] const R* relevance_across(std::size_t l, std::size_t i, std::span<R> own) const {
    if (const auto held = relevance_from(l); held.data != nullptr) return held.data + i * held.next_item;
    if (matches_by_index(batch_)) {
      std::fill(own.begin(), own.end(), R{0});
      if (l <= i && i < l + own.size()) own[i - l] = R{1};
    } else {
      for (std::size_t k = 0; k < own.size(); ++k) own[k] = relevance_at(l + k, i);
    }
    return own.data();
  }
  [[nodiscard]] bool masked() const { return leaves_out_pairs(batch_); }
  [[nodiscard]] bool kept(std::size_t l, std::size_t i) const {
    return columns_ ? keeps_pair(batch_, i, l) : keeps_pair(batch_, l, i);
  }
  [[nodiscard]] bool any_missed() const { return false; }
  [[nodiscard]] bool missed(std::size_t, std::size_t) const { return false; }

 private:
  template <class X>
  [[nodiscard]] static interleaved_items<const X> items_from(const X* data, std::size_t l,
                                                             const pair_strides& strides, bool column) {
    const std::size_t list = column ? strides.column : strides.row;
    return {data + l * list, list, column ? strides.row : strides.column};
  }
  /// First item and stride of a row or column.
  [[nodiscard]] static std::pair<std::size_t, std::ptrdiff_t> layout(std::size_t l,
                                                                     const pair_strides& strides,
                                                                     bool column) {
    if (column) return {l * strides.column, static_cast<std::ptrdiff_t>(strides.row)};
    return {l * strides.row, static_cast<std::ptrdiff_t>(strides.column)};
  }

  const similarity_batch<T, R>& batch_;
  bool columns_;
  pair_strides strides_;
  pair_strides relevance_strides_{};
  list_relevance kind_;
  reals probabilities_;
  const R* relevance_ = nullptr;
};

/// Whether a field is a matrix, which then has to have rows and columns of the batch.
template <class T, class R, class Given>
[[nodiscard]] bool has_shape_of(const similarity_batch<T, R>& batch, std::string_view field,
                                const Given& given) {
  if (const auto& shape = given.shape())
    require(shape->rows == batch.rows && shape->columns == batch.columns, field, ": ", shape->rows,
            " rows of ", shape->columns, " columns, expected ", batch.rows, " of ", batch.columns);
  return given.shape().has_value();
}

/// What is known of pairs, rows and columns, other than similarities, fits rows and columns.
/// @param batch  as returned by with_shape
template <class T, class R>
void check_pairs(const similarity_batch<T, R>& batch) {
  const std::size_t rows = batch.rows;
  const std::size_t columns = batch.columns;
  const std::size_t pairs = count_of(rows, columns);
  const auto per_pair = [&](std::string_view field, const auto& given) {
    if (!given.empty() && !has_shape_of(batch, field, given))
      require(given.size() == pairs, field, ": size ", given.size(), ", expected ", pairs, " (", rows,
              " rows of ", columns, " columns)");
  };
  per_pair("matches", batch.matches);
  per_pair("mask", batch.mask);
  require(!batch.without_diagonal || rows == columns, "without_diagonal: given for ", rows, " rows and ",
          columns, " columns, expected a square matrix");
  per_pair("relevance", batch.relevance);
  per_pair("column_relevance", batch.column_relevance);
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
}

/// @param batch  as returned by with_shape
template <class T, class R>
void check_shape(const similarity_batch<T, R>& batch, const outputs& out) {
  const std::size_t rows = batch.rows;
  const std::size_t columns = batch.columns;
  const std::size_t size = batch.similarity.size();
  if (has_shape_of(batch, "similarity", batch.similarity)) {
    require(batch.stride == 0, "stride: ", batch.stride,
            ", expected none: similarity is a matrix with strides of its own");
  } else {
    const std::size_t stride = similarity_strides(batch).row;
    require(stride >= columns, "stride: ", stride, ", expected at least columns ", columns);
    require(size == extent_of(rows, columns, stride) || size == count_of(rows, stride), "similarity: size ",
            size, ", expected ", count_of(rows, stride), " (rows ", rows, " at stride ", stride, ")");
  }
  check_pairs(batch);
  const auto per_similarity = [&](std::string_view field, const shaped<real_output>& given) {
    if (given.empty()) return;
    if (!has_shape_of(batch, field, given)) check_size(field, given.size(), size, "one per similarity");
    const pair_strides strides = output_strides(batch, given);
    require(matrix_shape{rows, columns, strides.row, strides.column}.has_distinct_elements(), field,
            ": strides ", strides.row, " and ", strides.column, " of ", rows, " rows and ", columns,
            " columns, expected items of their own, none of which is written twice");
  };
  per_similarity("gradient", out.gradient);
  per_similarity("hessian", out.hessian);
  check_optional("per_list", out.per_list.size(), rows + columns, "rows, then columns");
  check_scale(out);
}

/// Matching by index needs as many rows as columns.
template <class T, class R>
void check_matches(const similarity_batch<T, R>& batch) {
  const bool by_index = matches_by_index(batch);
  require(!batch.extra_columns || (by_index && batch.rows <= batch.columns), "extra_columns: given for ",
          batch.rows, " rows and ", batch.columns, " columns", by_index ? "" : " with matches or classes",
          ", expected at least as many columns as rows, and matches by index");
  require(batch.rows * batch.columns == 0 || !by_index || batch.extra_columns || batch.rows == batch.columns,
          "matches: none given for ", batch.rows, " rows and ", batch.columns,
          " columns, expected a square matrix, extra_columns, matches or classes");
  require(batch.rows == 0 || !batch.without_diagonal || !by_index,
          "without_diagonal: leaves out every match, expected matches or classes");
}

/// Fails on the first bad item of a matrix that takes part, which the message names. Empty `items` stand for
/// no matrix and pass.
template <class T, class R, class Element, class Bad, class Expected>
void check_elements(const similarity_batch<T, R>& batch, std::span<const Element> items,
                    const pair_strides& strides, Bad bad, std::string_view field, Expected expected) {
  for (std::size_t i = 0; i < batch.rows && !items.empty(); ++i) {
    const strided<const Element> row(items.data() + i * strides.row, batch.columns,
                                     static_cast<std::ptrdiff_t>(strides.column));
    std::size_t j = find_first(row, bad);
    if (leaves_out_pairs(batch))
      while (j < batch.columns && !(bad(row[j]) && keeps_pair(batch, i, j))) ++j;
    if (j < batch.columns)
      fail(field, ": ", static_cast<double>(row[j]), " at row ", i, ", column ", j, ", expected ",
           expected(row[j]));
  }
}

/// Requires probabilities to be given only to losses that correct for them, and to be such.
template <class Loss>
void check_probabilities(std::string_view field, const reals& given, std::size_t expected,
                         std::string_view unit, bool check_values) {
  constexpr options::real range{.least = 1e-300, .most = 1.0};
  if (given.empty()) return;
  require(takes_probabilities<Loss>, field,
          ": given, expected none: this loss does not correct for how items were sampled");
  require(given.size() == expected, field, ": size ", given.size(), ", expected ", expected, " (one per ",
          unit, ")");
  for (std::size_t k = 0; check_values && k < expected; ++k)
    if (!range.accepts(given[k])) fail(field, ": ", given[k], " at ", unit, " ", k, ", expected ", range);
}

template <class Loss, class T, class R>
void check_values(const Loss& loss, const similarity_batch<T, R>& batch) {
  check_elements(
      batch, std::span<const T>(batch.similarity), similarity_strides(batch),
      [](const T& s) { return is_nan(s); }, "similarity", [](T) { return "a number"; });
  const auto refused = [&](const R& y) { return refuses_relevance(loss, y); };
  const auto expected = [&](const R& y) {
    return expected_relevance(loss, y, "; pairs without judgement are left out by the mask, or 0");
  };
  check_elements(batch, std::span<const R>(batch.relevance), strides_of(batch.relevance, batch.columns),
                 refused, "relevance", expected);
  check_elements(batch, std::span<const R>(batch.column_relevance),
                 strides_of(batch.column_relevance, batch.columns), refused, "column_relevance", expected);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
