// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/matrix_view.hpp>

#if __has_include(<xtensor/core/xtensor_forward.hpp>)
#include <xtensor/containers/xbuffer_adaptor.hpp>
#include <xtensor/core/xtensor_forward.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xbuffer_adaptor.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor_forward.hpp>
#include <xtensor/xview.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <type_traits>

/// Passes xtensor's arrays, tensors, adaptors and views to every field in place, with their offset and
/// without copying them.
///
/// - Fields of items (scores, relevance, weights, mask, outputs of lists) accept whatever has contiguous
///   elements in the order of the last index.
/// - Fields of a similarity_batch, and its outputs, accept two-dimensional arrays of any layout and strides;
///   (i, j) is (i, j) of each.
/// - For lists that are the rows or columns of a two-dimensional array see row_lists and column_lists in
///   batch.hpp.
///
///     xt::xtensor<float, 2> scores = ..., gradient = ...;
///     const rankloss::list_batch<float, int> batch{.scores = xt::row(scores, q),
///                                                  .relevance = xt::row(grades, q)};
///     rankloss::evaluate(loss, batch, {.gradient = xt::row(gradient, q)}, context);
///
/// An expression, and a view by indices or of an expression, has no memory of its own and is a compile error.
/// Strides are known at run time; those that would need a copy are a std::invalid_argument that names them.
namespace rankloss::inline RANKLOSS_ABI::detail {

template <class Source>
concept xtensor_expression = xt::is_xexpression<Source>::value;

template <class Source>
concept xtensor_memory = xtensor_expression<Source> && requires(Source& source) {
  source.data();
  source.data_offset();
  source.strides();
  source.shape();
};

template <xtensor_expression Source>
struct host_matrix<Source> {
  static constexpr bool in_rows = xtensor_memory<Source>;

  template <class Given>
  requires xtensor_memory<Source>
  static auto of(Given& source) {
    const auto& shape = source.shape();
    const auto dimensions = static_cast<std::size_t>(std::distance(shape.begin(), shape.end()));
    const auto extent = [&](std::size_t d) {
      return static_cast<std::size_t>(*std::next(shape.begin(), static_cast<std::ptrdiff_t>(d)));
    };
    const auto stride = [&](std::size_t d) {
      const auto& strides = source.strides();
      return static_cast<std::ptrdiff_t>(*std::next(strides.begin(), static_cast<std::ptrdiff_t>(d)));
    };
    auto* const first = source.data() + source.data_offset();
    if (dimensions == 2) return matrix_view(first, extent(0), extent(1), stride(0), stride(1));
    if (dimensions == 1) return matrix_view(first, std::size_t{1}, extent(0), std::ptrdiff_t{0}, stride(0));
    std::size_t items = 1;
    for (std::size_t d = 0; d < dimensions; ++d) items *= extent(d);
    std::size_t after = 1;
    for (std::size_t d = dimensions; d-- > 0 && items > 0; after *= extent(d))
      require(extent(d) == 1 || stride(d) == static_cast<std::ptrdiff_t>(after), "stride: ", stride(d),
              " of dimension ", d, " of an array of ", dimensions, ", expected ", after,
              " (its elements one behind the other in the order of the last index)");
    return matrix_view(first, std::size_t{1}, items, std::ptrdiff_t{0}, std::ptrdiff_t{1});
  }
  static bool is_matrix(const Source& source) noexcept { return source.dimension() == 2; }

  static constexpr void explain() noexcept {
    static_assert(
        xtensor_memory<Source>,
        "rankloss: an expression of xtensor, or a view of one, has no memory of its own; expected an array, tensor, adaptor or a view of "
        "such: evaluate it first (xt::eval)");
  }
};

/// A view of an array that exists elsewhere owns no elements, although it holds its own shape.
template <class Array, class... Slices>
inline constexpr bool owns_items<xt::xview<Array, Slices...>> = !std::is_lvalue_reference_v<Array>;
template <class Array, class Shape, xt::layout_type Layout, class Storage>
inline constexpr bool owns_items<xt::xstrided_view<Array, Shape, Layout, Storage>> =
    !std::is_lvalue_reference_v<Array>;
template <class Storage, class Shape, xt::layout_type Layout, bool Sharable, class Tag>
inline constexpr bool owns_items<xt::xfixed_container<Storage, Shape, Layout, Sharable, Tag>> = true;
template <class Buffer>
inline constexpr bool owns_buffer = !std::is_lvalue_reference_v<Buffer>;
template <class Pointer, class Allocator>
inline constexpr bool owns_buffer<xt::xbuffer_adaptor<Pointer, xt::no_ownership, Allocator>> = false;
template <class Buffer, xt::layout_type Layout, class Shape, class Tag>
inline constexpr bool owns_items<xt::xarray_adaptor<Buffer, Layout, Shape, Tag>> = owns_buffer<Buffer>;
template <class Buffer, std::size_t Dimensions, xt::layout_type Layout, class Tag>
inline constexpr bool owns_items<xt::xtensor_adaptor<Buffer, Dimensions, Layout, Tag>> = owns_buffer<Buffer>;

}  // namespace rankloss::inline RANKLOSS_ABI::detail
