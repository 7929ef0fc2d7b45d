// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/vectors.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether embeddings are taken as they are or with length 1.
enum class vector_form { raw, unit };

/// A matrix of vectors, `stride` components apart.
template <class T>
struct vector_block {
  T* data = nullptr;
  std::size_t count = 0;
  std::size_t dimension = 0;
  std::size_t stride = 0;

  [[nodiscard]] T* operator[](std::size_t i) const noexcept { return data + i * stride; }
  /// The vectors [first, last).
  [[nodiscard]] vector_block part(std::size_t first, std::size_t last) const noexcept {
    return {data + first * stride, last - first, dimension, stride};
  }
  /// The components [first, last) of all vectors.
  [[nodiscard]] vector_block components(std::size_t first, std::size_t last) const noexcept {
    return {data + first, count, last - first, stride};
  }
  operator vector_block<const T>() const noexcept requires(!std::is_const_v<T>) {
    return {data, count, dimension, stride};
  }
};

/// The embeddings of the rows or of the columns of a batch, in the forms that products need, and the sums of
/// their derivatives in those forms. Contiguous embeddings of type T are read in place where they are taken as
/// they are.
template <score T>
class embedding_side {
 public:
  /// @param shape  count, dimension and strides of the vectors
  embedding_side(const vectors<T>& given, const matrix_shape& shape) : given_(given), shape_(shape) {}

  [[nodiscard]] std::size_t count() const noexcept { return shape_.rows; }
  [[nodiscard]] std::size_t dimension() const noexcept { return shape_.columns; }

  /// Requires finite components, and returns the greatest of them by magnitude.
  [[nodiscard]] double check(std::string_view field, std::string_view unit) const {
    bits_of<T> most = 0;
    given_.visit([&](const auto* memory) {
      for (std::size_t i = 0; i < count(); ++i) {
        const auto* row = memory + i * shape_.row_stride;
        bits_of<T> own = 0;
        for (std::size_t k = 0; k < dimension(); ++k) {
          const T component = static_cast<T>(row[k * shape_.column_stride]);
          own = std::max(own, size_bits(component));
        }
        if (own >= bits_of_infinity<T>) [[unlikely]]
          refuse(field, unit, i, row);
        most = std::max(most, own);
      }
    });
    return static_cast<double>(std::bit_cast<T>(most));
  }

  /// Makes the vectors of a form, and sums of derivatives, of 0, for the first `slopes` of them.
  void prepare(vector_form form, std::size_t slopes, context& ctx) {
    state& own = form == vector_form::unit ? unit_ : raw_;
    workspace& scratch = ctx.scratch();
    if (form == vector_form::raw && reads_in_place()) {
      given_.visit([&](const auto* memory) {
        if constexpr (std::same_as<decltype(memory), const T*>)
          own.vectors = {memory, count(), dimension(), count() > 1 ? shape_.row_stride : dimension()};
      });
    } else {
      const std::span<T> to = scratch.take<T>(count() * dimension());
      if (form == vector_form::unit) lengths_ = scratch.take<unit_length>(count());
      ctx.run((count() + chunk - 1) / chunk, [&](std::size_t, std::size_t task) {
        for (std::size_t i = task * chunk; i < std::min(count(), (task + 1) * chunk); ++i)
          copy(i, form, to.data() + i * dimension());
      });
      own.vectors = {to.data(), count(), dimension(), dimension()};
    }
    const std::span<T> sums = scratch.take<T>(slopes * dimension());
    own.sums = {sums.data(), slopes, dimension(), dimension()};
    std::fill(sums.begin(), sums.end(), T{0});
  }

  [[nodiscard]] vector_block<const T> vectors_as(vector_form form) const noexcept {
    return form == vector_form::unit ? unit_.vectors : raw_.vectors;
  }
  /// Sums of derivatives by the vectors of a form; of no vectors where none are wanted.
  [[nodiscard]] vector_block<T> sums_as(vector_form form) const noexcept {
    return form == vector_form::unit ? unit_.sums : raw_.sums;
  }

  /// Writes the derivatives by the first vectors, as the host has them, times the scale.
  /// @param shape   of the output
  /// @param slopes  [workers * dimension] memory, which has been taken before anything is written
  void commit(const real_output& out, const matrix_shape& shape, double scale, update how,
              std::span<double> slopes, context& ctx) const {
    ctx.run((shape.rows + chunk - 1) / chunk, [&](std::size_t worker, std::size_t task) {
      const std::span<double> slope = slopes.subspan(worker * dimension(), dimension());
      for (std::size_t i = task * chunk; i < std::min(shape.rows, (task + 1) * chunk); ++i) {
        for (std::size_t k = 0; k < dimension(); ++k)
          slope[k] = i < raw_.sums.count ? static_cast<double>(raw_.sums[i][k]) : 0.0;
        if (i < unit_.sums.count) add_through_length(i, slope);
        out.visit([&](auto* memory) {
          auto* to = memory + i * shape.row_stride;
          for (std::size_t k = 0; k < dimension(); ++k)
            put(to[k * shape.column_stride], held_as<double>(scale * slope[k]), how);
        });
      }
    });
  }

 private:
  static constexpr std::size_t chunk = 64;

  struct state {
    vector_block<const T> vectors{};
    vector_block<T> sums{};
  };

  [[nodiscard]] bool reads_in_place() const {
    return (dimension() <= 1 || shape_.column_stride == 1) &&
           given_.visit([](const auto* memory) { return std::same_as<decltype(memory), const T*>; });
  }

  template <class Element>
  [[noreturn]] [[gnu::cold]] void refuse(std::string_view field, std::string_view unit, std::size_t i,
                                         const Element* row) const {
    std::size_t k = 0;
    T component = static_cast<T>(row[0]);
    while (is_finite(component)) component = static_cast<T>(row[++k * shape_.column_stride]);
    fail(field, ": ", static_cast<double>(component), " at ", unit, " ", i, ", component ", k,
         ", expected a finite number");
  }

  void copy(std::size_t i, vector_form form, T* to) {
    given_.visit([&](const auto* memory) {
      const auto* row = memory + i * shape_.row_stride;
      for (std::size_t k = 0; k < dimension(); ++k) to[k] = static_cast<T>(row[k * shape_.column_stride]);
    });
    if (form == vector_form::raw) return;
    const unit_length length = lengths_[i] = unit_length_of(to, dimension());
    for (std::size_t k = 0; k < dimension(); ++k) to[k] = static_cast<T>(length(static_cast<double>(to[k])));
  }

  /// slope += (g - (g u) u) / |x| for the sum g of derivatives by the vector u of length 1.
  void add_through_length(std::size_t i, std::span<double> slope) const {
    const T* g = unit_.sums[i];
    const T* u = unit_.vectors[i];
    double along = 0.0;
    for (std::size_t k = 0; k < dimension(); ++k)
      along += static_cast<double>(g[k]) * static_cast<double>(u[k]);
    const unit_length& length = lengths_[i];
    for (std::size_t k = 0; k < dimension(); ++k) {
      const double across = static_cast<double>(g[k]) - along * static_cast<double>(u[k]);
      slope[k] += held_as<double>(opaque(across * length.inverse) * length.scale);
    }
  }

  const vectors<T>& given_;
  matrix_shape shape_;
  state raw_;
  state unit_;
  std::span<unit_length> lengths_;  // [count] where there are vectors of length 1
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
