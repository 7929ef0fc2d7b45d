// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/embeddings/embedding_side.hpp>

#include <Eigen/Core>

#include <cstddef>

/// The products of embeddings, by Eigen. Where a host builds with OpenMP, Eigen may use threads of its own in
/// each product, and results then depend on their number, unless the host calls Eigen::setNbThreads(1).
/// Small products are summed in an order that depends on the alignment of what is written, though not of what
/// is read. Therefore they are written to scratch alone, whose alignment is the same in every run.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Vectors as a matrix of Eigen, whose rows they are.
template <class T>
[[nodiscard]] auto eigen_view(const vector_block<T>& of) {
  using matrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using mapped = std::conditional_t<std::is_const_v<T>, const matrix, matrix>;
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  return Eigen::Map<mapped, 0, Eigen::OuterStride<>>(of.data, index(of.count), index(of.dimension),
                                                     Eigen::OuterStride<>(index(of.stride)));
}

/// s[i, j] = a_i b_j
template <class T>
void similarities(const vector_block<const T>& a, const vector_block<const T>& b, const vector_block<T>& s) {
  eigen_view(s).noalias() = eigen_view(a) * eigen_view(b).transpose();
}

/// sums_i += sum_j slopes[i, j] b_j
template <class T>
void add_by_rows(const vector_block<const T>& slopes, const vector_block<const T>& b,
                 const vector_block<T>& sums) {
  eigen_view(sums).noalias() += eigen_view(slopes) * eigen_view(b);
}

/// sums_j += sum_i slopes[i, j] a_i
template <class T>
void add_by_columns(const vector_block<const T>& slopes, const vector_block<const T>& a,
                    const vector_block<T>& sums) {
  eigen_view(sums).noalias() += eigen_view(slopes).transpose() * eigen_view(a);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
