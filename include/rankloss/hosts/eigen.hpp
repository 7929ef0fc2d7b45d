// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/matrix_view.hpp>

#include <Eigen/Core>

#include <concepts>
#include <cstddef>

/// Passes Eigen's matrices, arrays, maps and blocks to every field in place, without copying them.
///
/// - Fields of items (scores, relevance, weights, mask, outputs of lists) accept whatever has contiguous
///   elements: vectors, and row-major matrices.
/// - Fields of a similarity_batch, and its outputs, accept matrices of any storage order and strides; (i, j)
///   is row i and column j of each.
/// - For lists that are the rows or columns of a matrix or block see row_lists and column_lists in batch.hpp.
///
///     Eigen::MatrixXf similarity = images * texts.transpose();
///     Eigen::MatrixXf gradient(similarity.rows(), similarity.cols());
///     rankloss::evaluate(loss, rankloss::similarity_batch<float>{.similarity = similarity},
///                        {.gradient = gradient}, context);
///
/// An expression has no memory of its own, and in a field of items a column-major matrix is not in the order
/// of rows; both are compile errors. Strides that are known only at run time are a std::invalid_argument that
/// names them.
namespace rankloss::inline RANKLOSS_ABI::detail {

template <class Source>
concept eigen_dense = std::derived_from<Source, Eigen::DenseBase<Source>>;

template <eigen_dense Source>
struct host_matrix<Source> {
 private:
  static constexpr bool has_memory = (int(Source::Flags) & int(Eigen::DirectAccessBit)) != 0;
  static constexpr bool is_vector = Source::IsVectorAtCompileTime;
  static constexpr bool by_rows = Source::IsRowMajor;

  [[nodiscard]] static constexpr int inner_stride() {
    if constexpr (has_memory)
      return Source::InnerStrideAtCompileTime;
    else
      return Eigen::Dynamic;
  }
  [[nodiscard]] static constexpr int outer_stride() {
    if constexpr (has_memory)
      return Source::OuterStrideAtCompileTime;
    else
      return Eigen::Dynamic;
  }
  [[nodiscard]] static constexpr bool may_be(int stride, int wanted) {
    return stride == Eigen::Dynamic || wanted == Eigen::Dynamic || stride == wanted;
  }
  static constexpr bool neighbours = may_be(inner_stride(), 1);
  static constexpr bool rows_follow = may_be(outer_stride(), Source::ColsAtCompileTime);

 public:
  static constexpr bool in_rows = has_memory && neighbours && (is_vector || (by_rows && rows_follow));

  template <class Given>
  requires has_memory static auto of(Given& source) {
    return matrix_view(source.data(), source.rows(), source.cols(), source.rowStride(), source.colStride());
  }
  static bool is_matrix(const Source&) noexcept { return !is_vector; }

  static constexpr void explain() noexcept {
    static_assert(
        has_memory,
        "rankloss: an expression of Eigen has no memory of its own; expected a matrix, array, map or block: store it first");
    static_assert(
        !has_memory || neighbours,
        "rankloss: the elements of this map or block of Eigen are apart, its inner stride is not 1, so that a copy would be needed; expected "
        "elements one behind the other");
    static_assert(
        !has_memory || is_vector || by_rows,
        "rankloss: a matrix of Eigen by columns does not have its elements in the order of rows, so that a copy would be needed; expected a "
        "vector, a matrix by rows (Eigen::RowMajor), or column_lists where its columns are the lists");
    static_assert(
        !has_memory || is_vector || !by_rows || rows_follow,
        "rankloss: the rows of this block of Eigen are apart, so that a copy would be needed; expected rows one behind the other, or "
        "row_lists where they are the lists");
  }

  /// For row_lists and column_lists.
  template <bool Columns>
  static constexpr void expect_lines() noexcept {
    static_assert(
        neighbours,
        "rankloss: the elements of this map or block of Eigen are apart, its inner stride is not 1, so that a copy would be needed");
    static_assert(
        Columns || is_vector || by_rows,
        "rankloss: a matrix of Eigen by columns does not have the elements of a row one behind the other, so that a copy would be needed; "
        "expected Eigen::RowMajor, or column_lists where its columns are the lists");
    static_assert(
        !Columns || is_vector || !by_rows,
        "rankloss: a matrix of Eigen by rows does not have the elements of a column one behind the other, so that a copy would be needed; "
        "expected Eigen::ColMajor, or row_lists where its rows are the lists");
  }
};

/// Matrices own their elements, also those of fixed size, which are trivially destructible.
template <class Source>
requires std::derived_from<Source, Eigen::PlainObjectBase<Source>>
inline constexpr bool owns_items<Source> = true;

}  // namespace rankloss::inline RANKLOSS_ABI::detail
