// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/require.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// How the vectors of a field lie: vector i begins at i * stride, and its components follow one another.
struct vector_rows {
  std::size_t count = 0;
  std::size_t stride = 0;
};

/// The dimension of a batch: as it says, or the columns of the first of its matrices that knows them.
template <class... Fields>
[[nodiscard]] std::size_t dimension_of(std::size_t given, const Fields&... fields) {
  std::size_t dimension = given;
  const auto look = [&](const auto& field) {
    if (dimension == 0 && field.shape()) dimension = field.shape()->columns;
  };
  (look(fields), ...);
  require(dimension > 0, "dimension: 0, expected at least 1");
  return dimension;
}

/// The vectors of an input or output, a plain array or a matrix whose rows are contiguous.
template <class View>
[[nodiscard]] vector_rows vectors_of(std::string_view name, const shaped<View>& field,
                                     std::size_t dimension) {
  if (const auto& shape = field.shape()) {
    require(shape->columns == dimension || shape->rows == 0, name, ": a matrix of ", shape->columns,
            " columns, expected ", dimension, " (the dimension)");
    require(shape->columns <= 1 || shape->column_stride == 1, name, ": a matrix with column stride ",
            shape->column_stride, ", expected 1 (the components of a vector one behind the other)");
    require(!writes<View> || shape->has_distinct_elements(), name, ": a matrix with row stride ",
            shape->row_stride, ", expected rows that do not overlap");
    return {shape->rows, shape->row_stride};
  }
  require(field.size() % dimension == 0, name, ": size ", field.size(),
          ", expected whole vectors of dimension ", dimension);
  return {field.size() / dimension, dimension};
}

/// The vectors of an output, of which there are none or `count`.
inline vector_rows output_vectors(std::string_view name, const shaped<real_output>& field,
                                  std::size_t dimension, std::size_t count, std::string_view of) {
  if (field.empty()) return {};
  const vector_rows rows = vectors_of(name, field, dimension);
  require(rows.count == count, name, ": ", rows.count, " vectors, expected ", count, " (", of, ")");
  return rows;
}

/// The bits of the component of greatest magnitude, as size_bits has them; those of a vector with infinity or
/// NaN are not below bits_of_infinity. Integers have an order that a compiler can vectorise.
template <class T>
[[nodiscard]] bits_of<T> largest_bits(const T* x, std::size_t dimension) noexcept {
  bits_of<T> most = 0;
  for (std::size_t k = 0; k < dimension; ++k) most = std::max(most, size_bits(x[k]));
  return most;
}

/// What turns a vector into one of length 1: x * scale * inverse. The scale is a power of two that keeps the
/// squares of the components in range; the inverse of a zero vector is 0, so that it stays zero.
struct unit_length {
  double scale = 1.0;
  double inverse = 1.0;

  /// A component of the vector of length 1. The product of the two factors may be out of range, so a compiler
  /// must not form it.
  [[nodiscard]] RANKLOSS_HOST_DEVICE double operator()(double component) const noexcept {
    return opaque(scale * component) * inverse;
  }
};
template <class T>
[[nodiscard]] unit_length unit_length_of(const T* x, std::size_t dimension) noexcept {
  unit_length found;
  if constexpr (!single_precision<T>) {  // the squares of floats fit in a double without scaling
    double largest = 0.0;
    for (std::size_t k = 0; k < dimension; ++k) largest = std::max(largest, std::abs(x[k]));
    if (largest > 0.0)
      found.scale = std::ldexp(1.0, -std::clamp(std::ilogb(bounded(opaque(largest))), -1000, 1000));
  }
  std::array<double, 8> squares{};
  for (std::size_t k = 0; k < dimension; ++k) {
    const double component = found.scale * static_cast<double>(x[k]);
    squares[k % 8] += component * component;
  }
  double square = 0.0;
  for (const double part : squares) square += part;
  found.inverse = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  return found;
}

/// Names the component of a vector that is not finite.
template <class T>
[[noreturn]] [[gnu::cold]] void refuse_vector(std::string_view name, std::string_view unit, std::size_t i,
                                              const T* x, std::size_t dimension) {
  std::size_t k = 0;
  while (k + 1 < dimension && is_finite(x[k])) ++k;
  fail(name, ": ", x[k], " at ", unit, " ", i, ", component ", k, ", expected a finite number");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
