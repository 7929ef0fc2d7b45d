// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/matrix_view.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

/// What the views of arrays.hpp can be made of: where the memory of a host's array begins, how many elements
/// it has, and the words of the compiler's error where it cannot be a view.
namespace rankloss::inline RANKLOSS_ABI::detail {

template <class Source>
concept contiguous = std::ranges::contiguous_range<Source> && std::ranges::sized_range<Source>;

/// Sources with a member that returns the distance between elements: arrays of Eigen and xtensor, tensors,
/// our own `strided`.
template <class Source>
concept has_strides = requires(const Source& source) {
  source.strides();
}
|| requires(const Source& source) { source.stride(); }
|| requires(const Source& source) { source.innerStride(); };

/// Vectors of Eigen whose type says that their elements are contiguous.
template <class Source>
concept unit_stride_vector = requires {
  requires static_cast<bool>(Source::IsVectorAtCompileTime) &&
      static_cast<int>(Source::InnerStrideAtCompileTime) == 1;
};

/// Sources with data() and size(), such as vectors of Eigen, whose iterators are not contiguous before Eigen
/// 5.
template <class Source>
concept data_and_size = (!contiguous<Source>)&&(!has_strides<Source> ||
                                                unit_stride_vector<Source>)&&requires(Source& source) {
  requires std::is_object_v<std::remove_pointer_t<decltype(source.data())>> &&
      std::is_pointer_v<decltype(source.data())>;
  requires std::integral<std::remove_cvref_t<decltype(source.size())>>;
};

/// Sources that only a header of hosts/ can read, and that may turn out to be contiguous in the order of
/// rows.
template <class Source>
concept rows_of_host = (!contiguous<Source>)&&(
    !data_and_size<Source>)&&host_array<Source>&& host_matrix<std::remove_cv_t<Source>>::in_rows;

/// array: what a view can be made from: contiguous elements of one type.
template <class Source>
concept array = contiguous<Source> || data_and_size<Source> || rows_of_host<Source>;

/// The first element. Ranges are asked for their iterator, because data() of a view of xtensor is the
/// beginning of the viewed array and not of the view.
/// @throws std::invalid_argument when an array of a host is not contiguous as a view needs it.
template <array Source>
[[nodiscard]] constexpr auto first_of(Source& source) noexcept(!rows_of_host<Source>) {
  if constexpr (contiguous<Source>) {
    using pointer = std::add_pointer_t<std::ranges::range_reference_t<Source>>;
    return std::ranges::empty(source) ? pointer{} : pointer{std::to_address(std::ranges::begin(source))};
  } else if constexpr (data_and_size<Source>) {
    return source.data();
  } else {
    return first_in_rows(matrix_of(source));
  }
}

template <array Source>
[[nodiscard]] constexpr std::size_t size_of(Source& source) noexcept(!rows_of_host<Source>) {
  if constexpr (contiguous<Source>) {
    return static_cast<std::size_t>(std::ranges::size(source));
  } else if constexpr (data_and_size<Source>) {
    return static_cast<std::size_t>(source.size());
  } else {
    const auto matrix = matrix_of(source);
    return matrix.rows() * matrix.columns();
  }
}

/// The type of an array's elements, const where they cannot be written.
template <class Source>
using qualified_element_of =
    std::remove_pointer_t<decltype(first_of(std::declval<std::remove_reference_t<Source>&>()))>;

template <class Source>
using element_of = std::remove_cv_t<qualified_element_of<Source>>;

/// The same for what a header of hosts/ reads.
template <host_array Source>
using host_element = std::remove_pointer_t<decltype(matrix_of(std::declval<Source&>()).data())>;

/// Whether the elements are destroyed with the object: true for containers, C arrays and std::array, unlike
/// views.
template <class Source>
inline constexpr bool owns_items =
    !std::ranges::borrowed_range<Source> && !std::is_trivially_destructible_v<Source>;
template <class T, std::size_t N>
inline constexpr bool owns_items<T[N]> = true;
template <class T, std::size_t N>
inline constexpr bool owns_items<std::array<T, N>> = true;
template <class T>
inline constexpr bool owns_items<std::initializer_list<T>> = true;

template <class Source>
concept owner = owns_items<std::remove_cv_t<Source>>;

template <class Source, class View>
concept other_than = !std::derived_from<std::remove_cvref_t<Source>, View>;

/// Items of a host.
template <class T>
struct memory {
  T* data = nullptr;
  std::size_t size = 0;
};

/// The elements in the form in which a view takes them. Empty for unsuitable elements; the view reports those
/// by a static_assert.
template <class View, class Source>
[[nodiscard]] constexpr auto memory_of(Source& source) noexcept(!rows_of_host<Source>) {
  if constexpr (!array<Source>) {
    return memory<typename View::any_element>{};
  } else if constexpr (!View::template takes<qualified_element_of<Source>>) {
    return memory<typename View::any_element>{};
  } else {
    return memory<qualified_element_of<Source>>{first_of(source), size_of(source)};
  }
}
template <class View, class Element, class Size>
[[nodiscard]] constexpr auto memory_of(Element* data, Size size) {
  if constexpr (std::signed_integral<Size>) {
    if (size < 0) fail("size: ", size, " of an array, expected 0 or more");
  }
  if constexpr (View::template takes<Element>)
    return memory<Element>{data, static_cast<std::size_t>(size)};
  else
    return memory<typename View::any_element>{};
}

template <class Source>
constexpr void expect_array() noexcept {
  constexpr bool bits = std::same_as<std::remove_cv_t<Source>, std::vector<bool>>;
  static_assert(
      !bits,
      "rankloss: std::vector<bool> packs its elements into bits, which no view can read; use std::vector<std::uint8_t> or an array of bool");
  if constexpr (known_to_host<Source> && !array<Source>) host_matrix<std::remove_cv_t<Source>>::explain();
  static_assert(
      bits || array<Source> || known_to_host<Source>,
      "rankloss: expected an array: a pointer and a size, or what has data() and size(), or contiguous iterators, with its elements one behind "
      "the other (no matrix of columns, no strided view)");
}

/// Whether a view accepts the type of an array's elements; true where the source is no array.
template <class View, class Source>
[[nodiscard]] consteval bool takes_elements_of() {
  if constexpr (array<Source>)
    return View::template takes<qualified_element_of<Source>>;
  else if constexpr (host_array<Source>)
    return View::template takes<host_element<Source>>;
  else
    return true;
}
template <class Source>
[[nodiscard]] consteval bool has_const_items() {
  if constexpr (array<Source>)
    return std::is_const_v<qualified_element_of<Source>>;
  else if constexpr (host_array<Source>)
    return std::is_const_v<host_element<Source>>;
  else
    return false;
}

/// Outputs must still exist when the caller reads them.
template <class Source>
constexpr void expect_memory_that_stays() noexcept {
  static_assert(!has_const_items<std::remove_reference_t<Source>>(),
                "rankloss: this output is const, expected memory that can be written");
  static_assert(
      std::is_lvalue_reference_v<Source> || !owner<std::remove_reference_t<Source>>,
      "rankloss: this output is a temporary, which is gone before it can be read; expected memory that stays");
}
template <class Source>
constexpr void expect_output() noexcept {
  expect_array<std::remove_reference_t<Source>>();
  expect_memory_that_stays<Source>();
}

template <class Given>
constexpr void expect_matrix_that_stays() noexcept {
  static_assert(
      std::is_lvalue_reference_v<Given> || !owner<std::remove_reference_t<Given>>,
      "rankloss: this matrix is a temporary, which is gone before it can be read; expected memory that stays");
}

/// The elements of a matrix as a matrix whose rows are contiguous: the rows of the matrix, or its columns
/// where Columns is true.
template <bool Columns, class Matrix>
[[nodiscard]] auto matrix_of_lines(Matrix& matrix) {
  static_assert(
      host_array<Matrix>,
      "rankloss: expected a matrix: a matrix_view, or a matrix of Eigen or xtensor that has memory of its own, with hosts/eigen.hpp or "
      "hosts/xtensor.hpp");
  if constexpr (host_array<Matrix>) {
    if constexpr (requires { host_matrix<std::remove_cv_t<Matrix>>::template expect_lines<Columns>(); })
      host_matrix<std::remove_cv_t<Matrix>>::template expect_lines<Columns>();
    const auto m = matrix_of(matrix);
    const matrix_shape shape = Columns ? matrix_shape::of(m).transposed() : matrix_shape::of(m);
    const bool one = shape.rows <= 1;  // its stride has no meaning
    require(shape.columns <= 1 || shape.empty() || shape.column_stride == 1, Columns ? "row" : "column",
            " stride: ", shape.column_stride, " of a matrix whose ", Columns ? "columns" : "rows",
            " are lists, expected 1 (the items of a list one behind the other)");
    require(one || shape.empty() || shape.row_stride >= shape.columns, Columns ? "column" : "row",
            " stride: ", shape.row_stride, " of a matrix whose ", Columns ? "columns" : "rows",
            " are lists, expected at least their length ", shape.columns);
    return matrix_view(m.data(), shape.rows, shape.columns, one ? shape.columns : shape.row_stride,
                       std::size_t{1});
  } else {
    return matrix_view<const float>{};
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
