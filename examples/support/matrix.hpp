// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <Eigen/Core>

#include <cstddef>

namespace examples {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using row_vector = Eigen::Matrix<T, 1, Eigen::Dynamic>;
template <class T>
using vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// What an optimiser moves. Eigen aligns it, and so do all results come out the same wherever the memory
/// happens to lie: the ends of unaligned arrays are computed by other instructions than their middle, which
/// round differently.
template <class T>
using parameter_array = Eigen::Array<T, Eigen::Dynamic, 1>;

/// Eigen's indices have a sign.
[[nodiscard]] inline Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

}  // namespace examples
