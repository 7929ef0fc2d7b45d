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

/// matrix_view: a matrix in the host's memory, with any strides: element (i, j) is at data()[i * row_stride()
/// + j * column_stride()].
///
/// A row-major matrix has a column stride of 1. A column-major matrix (Fortran, Eigen, a transposed tensor)
/// has a row stride of 1. A block of a larger matrix has the strides of that matrix. Read only where T is
/// const. It can be made from a pointer, from matrices of Eigen with hosts/eigen.hpp, and from those of
/// xtensor with hosts/xtensor.hpp.
///
///     const rankloss::matrix_view<const float> s(tensor.data_ptr<float>(), tensor.size(0), tensor.size(1),
///                                                tensor.stride(0), tensor.stride(1));
///
/// @throws std::invalid_argument for a negative number of rows or columns, or a negative stride.
template <class T>
class matrix_view {
 public:
  matrix_view() = default;

  /// Contiguous rows that follow one another.
  template <std::integral Rows, std::integral Columns>
  matrix_view(T* data, Rows rows, Columns columns) : matrix_view(data, rows, columns, columns, 1) {}

  /// @param row_stride elements from one row to the next; without meaning for a single row
  /// @param column_stride elements from one column to the next; without meaning for a single column
  template <std::integral Rows, std::integral Columns, std::integral RowStride, std::integral ColumnStride>
  matrix_view(T* data, Rows rows, Columns columns, RowStride row_stride, ColumnStride column_stride)
      : data_(data), rows_(checked("rows", rows)), columns_(checked("columns", columns)) {
    if (rows_ > 1) row_stride_ = checked("row stride", row_stride);
    if (columns_ > 1) column_stride_ = checked("column stride", column_stride);
  }

  // A template, because nvcc warns of a conversion of matrix_view<const T> to itself.
  template <std::same_as<T> U>
  requires(!std::is_const_v<T>) operator matrix_view<const U>() const noexcept {
    return {data_, rows_, columns_, row_stride_, column_stride_};
  }

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t row_stride() const noexcept { return row_stride_; }  ///< 0 for at most one row
  [[nodiscard]] std::size_t column_stride() const noexcept {
    return column_stride_;
  }  ///< 0 for at most one column

 private:
  template <std::integral Number>
  [[nodiscard]] static std::size_t checked(std::string_view field, Number number) {
    if constexpr (std::signed_integral<Number>)
      detail::require(number >= 0, field, ": ", number,
                      " of a matrix, expected 0 or more; other matrices have to be copied");
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

/// matrix_shape: rows, columns and strides of a matrix_view, without its memory.
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

  /// Items from the first one to the last, including those between rows or columns.
  [[nodiscard]] std::size_t extent() const noexcept {
    return empty() ? 0 : (rows - 1) * row_stride + (columns - 1) * column_stride + 1;
  }

  /// Whether element (i, j) is at i * stride + j for all elements.
  [[nodiscard]] bool lies_in_rows(std::size_t stride) const noexcept {
    return empty() || ((columns == 1 || column_stride == 1) && (rows == 1 || row_stride == stride));
  }

  /// Whether all elements are known to be at different addresses: the elements of one line fit between two
  /// elements of the other direction. A row repeated by a stride of 0 does not pass.
  [[nodiscard]] bool has_distinct_elements() const noexcept {
    if (empty() || (rows == 1 && columns == 1)) return true;
    if (rows == 1) return column_stride > 0;
    if (columns == 1) return row_stride > 0;
    const bool by_rows = column_stride < row_stride;
    const std::size_t near = by_rows ? column_stride : row_stride;
    const std::size_t far = by_rows ? row_stride : column_stride;
    return near > 0 && far > near * ((by_rows ? columns : rows) - 1);
  }

  [[nodiscard]] matrix_shape transposed() const noexcept {
    return {columns, rows, column_stride, row_stride};
  }
};

namespace detail {

/// host_matrix: how the arrays of a library are read. The headers of hosts/ specialise it for their types:
///
/// - of(source): a matrix_view; for a vector its single row or column, for an array of more dimensions a
///   single row of all its elements;
/// - is_matrix(source): whether the array has rows and columns;
/// - in_rows: whether its elements can be contiguous in the order of rows, as far as the type tells;
/// - explain(): static_asserts that say why there is no `of`, or why in_rows is false.
template <class Source>
struct host_matrix {};

template <class T>
struct host_matrix<matrix_view<T>> {
  static constexpr bool in_rows = true;
  static matrix_view<T> of(const matrix_view<T>& source) noexcept { return source; }
  static bool is_matrix(const matrix_view<T>&) noexcept { return true; }
};

/// Whether a header of hosts/ supports the array.
template <class Source>
concept known_to_host = requires {
  host_matrix<std::remove_cv_t<Source>>::in_rows;
};

/// Whether the array can be read in place.
template <class Source>
concept host_array = known_to_host<Source> && requires(Source& source) {
  host_matrix<std::remove_cv_t<Source>>::of(source);
};

template <host_array Source>
[[nodiscard]] auto matrix_of(Source& source) {
  return host_matrix<std::remove_cv_t<Source>>::of(source);
}

/// The first element of a matrix whose elements are contiguous in the order of rows.
/// @throws std::invalid_argument where they are not.
template <class T>
[[nodiscard]] T* first_in_rows(const matrix_view<T>& m) {
  if (!matrix_shape::of(m).lies_in_rows(m.columns())) {
    if (m.rows() == 1 || m.columns() == 1)
      fail("stride: ", std::max(m.row_stride(), m.column_stride()), " of an array of ",
           m.rows() * m.columns(), " elements, expected 1 (its elements one behind the other)");
    fail(
        "strides: ", m.row_stride(), " and ", m.column_stride(), " of an array of ", m.rows(), " rows and ",
        m.columns(), " columns, expected ", m.columns(),
        " and 1 (its elements one behind the other in the order of rows); for lists that are apart there are row_lists and column_lists");
  }
  return m.data();
}

}  // namespace detail

}  // namespace rankloss::inline RANKLOSS_ABI
