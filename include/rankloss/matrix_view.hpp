// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/require.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// matrix_view: a matrix in the host's memory, with any strides: item (i, j) stands at data()[i * row_stride() + j * column_stride()].
///
/// A matrix by rows has a column stride of 1, one by columns (Fortran, Eigen, a transposed tensor) a row stride of 1; a block of a larger matrix
/// keeps the strides of that. Read only where T is const. Made of a pointer, of Eigen's matrices with hosts/eigen.hpp, of xtensor's with
/// hosts/xtensor.hpp.
///
///     const rankloss::matrix_view<const float> s(tensor.data_ptr<float>(), tensor.size(0), tensor.size(1), tensor.stride(0), tensor.stride(1));
///
/// @throws std::invalid_argument for a negative number of rows or columns or a negative stride.
template <class T>
class matrix_view {
 public:
  matrix_view() = default;

  /// Rows one behind the other.
  template <std::integral Rows, std::integral Columns>
  matrix_view(T* data, Rows rows, Columns columns) : matrix_view(data, rows, columns, columns, 1) {}

  /// @param row_stride  items from a row's start to the next row's; of a single row without meaning
  /// @param column_stride  items from an item of a row to the next; of a single column without meaning
  template <std::integral Rows, std::integral Columns, std::integral RowStride, std::integral ColumnStride>
  matrix_view(T* data, Rows rows, Columns columns, RowStride row_stride, ColumnStride column_stride)
      : data_(data), rows_(checked("rows", rows)), columns_(checked("columns", columns)) {
    if (rows_ > 1) row_stride_ = checked("row stride", row_stride);
    if (columns_ > 1) column_stride_ = checked("column stride", column_stride);
  }

  operator matrix_view<const T>() const noexcept requires(!std::is_const_v<T>) { return {data_, rows_, columns_, row_stride_, column_stride_}; }

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t row_stride() const noexcept { return row_stride_; }        ///< of at most one row 0
  [[nodiscard]] std::size_t column_stride() const noexcept { return column_stride_; }  ///< of at most one column 0

 private:
  template <std::integral Number>
  [[nodiscard]] static std::size_t checked(std::string_view field, Number number) {
    if constexpr (std::signed_integral<Number>)
      detail::require(number >= 0, field, ": ", number, " of a matrix, expected 0 or more; other matrices have to be copied");
    return static_cast<std::size_t>(number);
  }

  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::size_t row_stride_ = 0;
  std::size_t column_stride_ = 0;
};

template <class T, class Rows, class Columns>
matrix_view(T*, Rows, Columns) -> matrix_view<T>;
template <class T, class Rows, class Columns, class RowStride, class ColumnStride>
matrix_view(T*, Rows, Columns, RowStride, ColumnStride) -> matrix_view<T>;

/// matrix_shape: what a matrix_view says besides its memory.
struct matrix_shape {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_stride = 0;     ///< without meaning for at most one row
  std::size_t column_stride = 0;  ///< without meaning for at most one column

  template <class T>
  static matrix_shape of(const matrix_view<T>& matrix) noexcept {
    return {matrix.rows(), matrix.columns(), matrix.row_stride(), matrix.column_stride()};
  }

  [[nodiscard]] bool empty() const noexcept { return rows == 0 || columns == 0; }

  /// Items from the first one to the last, those between rows or columns included.
  [[nodiscard]] std::size_t extent() const noexcept { return empty() ? 0 : (rows - 1) * row_stride + (columns - 1) * column_stride + 1; }

  /// Whether item (i, j) stands at i * stride + j.
  [[nodiscard]] bool lies_in_rows(std::size_t stride) const noexcept {
    return empty() || ((columns == 1 || column_stride == 1) && (rows == 1 || row_stride == stride));
  }

  /// Whether all items are known to be distinct: those of a line stand in between two of the other lines. A row repeated by a stride of 0 is not.
  [[nodiscard]] bool has_distinct_items() const noexcept {
    if (empty() || (rows == 1 && columns == 1)) return true;
    if (rows == 1) return column_stride > 0;
    if (columns == 1) return row_stride > 0;
    const bool by_rows = column_stride < row_stride;
    const std::size_t near = by_rows ? column_stride : row_stride;
    const std::size_t far = by_rows ? row_stride : column_stride;
    return near > 0 && far > near * ((by_rows ? columns : rows) - 1);
  }

  [[nodiscard]] matrix_shape transposed() const noexcept { return {columns, rows, column_stride, row_stride}; }
};

namespace detail {

/// host_matrix: how the arrays of a library are read. The headers of hosts/ specialise it for their types:
///
/// - of(source): a matrix_view; of a vector the single row or column, of an array of more dimensions a single row of all its items;
/// - is_matrix(source): whether rows and columns are what the array has;
/// - in_rows: whether its items may stand one behind the other in the order of rows, as far as the type says;
/// - explain(): static_asserts that say why there is no `of`, or why in_rows is false.
template <class Source>
struct host_matrix {};

template <class T>
struct host_matrix<matrix_view<T>> {
  static constexpr bool in_rows = true;
  static matrix_view<T> of(const matrix_view<T>& source) noexcept { return source; }
  static bool is_matrix(const matrix_view<T>&) noexcept { return true; }
};

/// Whether a header of hosts/ knows the array.
template <class Source>
concept known_to_host = requires {
  host_matrix<std::remove_cv_t<Source>>::in_rows;
};

/// Whether it can be read where it lies.
template <class Source>
concept host_array = known_to_host<Source> && requires(Source& source) {
  host_matrix<std::remove_cv_t<Source>>::of(source);
};

template <host_array Source>
[[nodiscard]] auto matrix_of(Source& source) {
  return host_matrix<std::remove_cv_t<Source>>::of(source);
}

/// The first item of a matrix whose items stand one behind the other in the order of rows.
/// @throws std::invalid_argument where they do not.
template <class T>
[[nodiscard]] T* first_in_rows(const matrix_view<T>& m) {
  if (!matrix_shape::of(m).lies_in_rows(m.columns())) {
    if (m.rows() == 1 || m.columns() == 1)
      fail("stride: ", std::max(m.row_stride(), m.column_stride()), " of an array of ", m.rows() * m.columns(),
           " items, expected 1 (its items one behind the other)");
    fail("strides: ", m.row_stride(), " and ", m.column_stride(), " of an array of ", m.rows(), " rows and ", m.columns(), " columns, expected ",
         m.columns(), " and 1 (its items one behind the other in the order of rows); for lists that are apart there are row_lists and column_lists");
  }
  return m.data();
}

}  // namespace detail

}  // namespace rankloss::inline RANKLOSS_ABI
