// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/arrays/host_memory.hpp>
#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/matrix_view.hpp>
#include <rankloss/strided.hpp>

#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// RANKLOSS_LIFETIMEBOUND marks a parameter whose memory the result points into. Compilers that know the
// attribute warn when such a parameter is a temporary.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define RANKLOSS_LIFETIMEBOUND [[clang::lifetimebound]]
#elif __has_cpp_attribute(msvc::lifetimebound)
#define RANKLOSS_LIFETIMEBOUND [[msvc::lifetimebound]]
#endif
#endif
#if !defined(RANKLOSS_LIFETIMEBOUND)
#define RANKLOSS_LIFETIMEBOUND
#endif

namespace rankloss::inline RANKLOSS_ABI {

/// score: the floating-point types in which losses compute.
template <class T>
concept score = std::same_as<T, float> || std::same_as<T, double>;

/// relevance_number: the types of relevance: any arithmetic type except long double, which has more digits
/// than the doubles in which sums are computed.
template <class T>
concept relevance_number = std::is_arithmetic_v<T> && !std::same_as<std::remove_cv_t<T>, long double>;

/// array_view: a view of contiguous elements of type T that the host owns. It is a std::span that can also be
/// made from anything with data() and size(), such as vectors of Eigen, or from a pointer and a size. Read
/// only where T is const. Empty means "not given" or "not wanted", where a field allows it.
/// @throws std::invalid_argument for a negative size.
template <class T>
class array_view : public std::span<T> {
 public:
  /// Whether a view can be made from elements of this type.
  template <class Element>
  static constexpr bool takes = std::is_convertible_v<Element (*)[], T (*)[]>;
  using any_element = T;

  constexpr array_view() = default;
  template <std::contiguous_iterator First, std::integral Size>
  constexpr array_view(First first, Size size)
      : array_view(detail::memory_of<array_view>(std::to_address(first), size)) {
    static_assert(
        takes<std::remove_reference_t<std::iter_reference_t<First>>>,
        "rankloss: expected a pointer to elements of the type that the batch or function names, such as float in list_batch<float>");
  }
  template <std::contiguous_iterator First, std::sized_sentinel_for<First> Last>
  requires(!std::is_convertible_v<Last, std::size_t>) constexpr array_view(First first, Last last)
      : array_view(first, last - first) {}

  template <detail::other_than<array_view> Source>
  requires(std::is_const_v<T> && !detail::owner<Source>) constexpr array_view(const Source& items) noexcept(
      !detail::rows_of_host<const Source>)
      : array_view(detail::memory_of<array_view>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<array_view> Source>
  requires(std::is_const_v<T>&& detail::owner<Source>) constexpr array_view(
      const Source& items RANKLOSS_LIFETIMEBOUND) noexcept(!detail::rows_of_host<const Source>)
      : array_view(detail::memory_of<array_view>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<array_view> Source>
  requires(!std::is_const_v<T>) constexpr array_view(Source&& items) noexcept(
      !detail::rows_of_host<std::remove_reference_t<Source>>)
      : array_view(detail::memory_of<array_view>(items)) {
    detail::expect_output<Source>();
    if constexpr (!detail::has_const_items<std::remove_reference_t<Source>>())
      expect<std::remove_reference_t<Source>>();
  }

 private:
  template <class U>
  constexpr explicit array_view(detail::memory<U> items) noexcept : std::span<T>(items.data, items.size) {}

  template <class Source>
  static constexpr void expect() noexcept {
    detail::expect_array<Source>();
    static_assert(
        detail::takes_elements_of<array_view, Source>(),
        "rankloss: expected elements of the type that the batch or function names, such as float and int in list_batch<float, int>");
  }
};

template <class Element, class Size>
array_view(Element*, Size) -> array_view<Element>;

namespace detail {

/// An array_view parameter whose element type is deduced from other arguments.
template <class T>
using view_of = std::type_identity_t<array_view<T>>;

}  // namespace detail

/// reals: floats or doubles that the host owns, read only. Empty means "not given".
class reals {
 public:
  template <class Element>
  static constexpr bool takes = score<std::remove_const_t<Element>>;
  using any_element = const float;

  reals() = default;
  template <class Element, std::integral Size>
  reals(Element* items, Size size) : reals(detail::memory_of<reals>(items, size)) {
    static_assert(takes<Element>, "rankloss: expected a pointer to floats or doubles");
  }
  template <detail::other_than<reals> Source>
  requires(!detail::owner<Source>) reals(const Source& items)
  noexcept(!detail::rows_of_host<const Source>) : reals(detail::memory_of<reals>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<reals> Source>
  requires detail::owner<Source> reals(const Source& items RANKLOSS_LIFETIMEBOUND)
  noexcept(!detail::rows_of_host<const Source>) : reals(detail::memory_of<reals>(items)) {
    expect<const Source>();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] double operator[](std::size_t i) const noexcept {
    return wide_ ? static_cast<const double*>(data_)[i]
                 : static_cast<double>(static_cast<const float*>(data_)[i]);
  }
  [[nodiscard]] bool is_finite(std::size_t i) const noexcept {
    return wide_ ? detail::is_finite(static_cast<const double*>(data_)[i])
                 : detail::is_finite(static_cast<const float*>(data_)[i]);
  }
  /// Calls `visitor(pointer)` with a const float* or a const double*.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return wide_ ? visitor(static_cast<const double*>(data_)) : visitor(static_cast<const float*>(data_));
  }

 private:
  template <class Element>
  explicit reals(detail::memory<Element> items) noexcept
      : data_(items.data), size_(items.size), wide_(sizeof(Element) == sizeof(double)) {}

  template <class Source>
  static constexpr void expect() noexcept {
    detail::expect_array<Source>();
    static_assert(detail::takes_elements_of<reals, Source>(),
                  "rankloss: expected an array of floats or doubles");
  }

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  bool wide_ = false;
};

/// real_output: floats or doubles that the host owns, to be written. Empty means "not wanted".
class real_output {
 public:
  template <class Element>
  static constexpr bool takes = score<Element>;
  using any_element = float;

  real_output() = default;
  template <class Element, std::integral Size>
  real_output(Element* items, Size size) : real_output(detail::memory_of<real_output>(items, size)) {
    static_assert(takes<Element>,
                  "rankloss: an output is floats or doubles that can be written, expected a pointer to such");
  }
  template <detail::other_than<real_output> Source>
  real_output(Source&& items) noexcept(!detail::rows_of_host<std::remove_reference_t<Source>>)
      : real_output(detail::memory_of<real_output>(items)) {
    detail::expect_output<Source>();
    static_assert(detail::has_const_items<std::remove_reference_t<Source>>() ||
                      detail::takes_elements_of<real_output, std::remove_reference_t<Source>>(),
                  "rankloss: an output is floats or doubles, expected an array of such");
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Calls `visitor(pointer)` with a float* or a double*.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return wide_ ? visitor(static_cast<double*>(data_)) : visitor(static_cast<float*>(data_));
  }

 private:
  template <class Element>
  explicit real_output(detail::memory<Element> items) noexcept
      : data_(items.data), size_(items.size), wide_(sizeof(Element) == sizeof(double)) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
  bool wide_ = false;
};

/// The exact value of one of `indices`, for comparison and for messages: a signed number, or an unsigned
/// one beyond the signed range.
struct index_number {
  std::int64_t bits = 0;
  bool beyond = false;  ///< the number is unsigned and at least 2^63; `bits` holds its bits

  friend bool operator==(const index_number&, const index_number&) = default;
  friend std::strong_ordering operator<=>(const index_number& a, const index_number& b) noexcept {
    return a.beyond == b.beyond ? a.bits <=> b.bits : a.beyond <=> b.beyond;
  }
  void append_to(std::string& message) const {
    message += beyond ? std::to_string(static_cast<std::uint64_t>(bits)) : std::to_string(bits);
  }
};

/// indices: offsets or class ids as the host holds them: 32-bit or 64-bit integers, signed or unsigned.
/// Empty means "not given".
class indices {
 public:
  template <class Element>
  static constexpr bool takes = std::integral<Element> && (sizeof(Element) == 4 || sizeof(Element) == 8);
  using any_element = const std::int32_t;

  indices() = default;
  template <class Element, std::integral Size>
  indices(Element* items, Size size) : indices(detail::memory_of<indices>(items, size)) {
    static_assert(takes<Element>, "rankloss: expected a pointer to integers of 32 or 64 bits");
  }
  template <detail::other_than<indices> Source>
  requires(!detail::owner<Source>) indices(const Source& items)
  noexcept(!detail::rows_of_host<const Source>) : indices(detail::memory_of<indices>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<indices> Source>
  requires detail::owner<Source> indices(const Source& items RANKLOSS_LIFETIMEBOUND)
  noexcept(!detail::rows_of_host<const Source>) : indices(detail::memory_of<indices>(items)) {
    expect<const Source>();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Unsigned numbers of 2^63 or more are returned as negative numbers; none of them is an index in memory.
  /// `number` returns the exact value.
  [[nodiscard]] std::int64_t operator[](std::size_t i) const noexcept {
    switch (kind_) {
      case kind::signed32: return static_cast<const std::int32_t*>(data_)[i];
      case kind::unsigned32: return static_cast<const std::uint32_t*>(data_)[i];
      default: return static_cast<const std::int64_t*>(data_)[i];
    }
  }
  [[nodiscard]] index_number number(std::size_t i) const noexcept {
    const std::int64_t bits = (*this)[i];
    return {bits, kind_ == kind::unsigned64 && bits < 0};
  }
  /// Calls `visitor(pointer)` with a pointer to integers of the host's type; unsigned ones of 64 bits as signed.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    switch (kind_) {
      case kind::signed32: return visitor(static_cast<const std::int32_t*>(data_));
      case kind::unsigned32: return visitor(static_cast<const std::uint32_t*>(data_));
      default: return visitor(static_cast<const std::int64_t*>(data_));
    }
  }

 private:
  enum class kind { signed32, unsigned32, signed64, unsigned64 };

  template <class Element>
  explicit indices(detail::memory<Element> items) noexcept
      : data_(items.data),
        size_(items.size),
        kind_(sizeof(Element) == 8 ? (std::signed_integral<Element> ? kind::signed64 : kind::unsigned64)
                                   : (std::signed_integral<Element> ? kind::signed32 : kind::unsigned32)) {}

  template <class Source>
  static constexpr void expect() noexcept {
    detail::expect_array<Source>();
    static_assert(detail::takes_elements_of<indices, Source>(),
                  "rankloss: expected an array of integers of 32 or 64 bits");
  }

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  kind kind_ = kind::signed64;
};

/// flags: one byte for each item, zero or not zero (bool, char, std::uint8_t, a NumPy bool array). Empty
/// means "not given".
class flags {
 public:
  template <class Element>
  static constexpr bool takes = std::integral<Element> && sizeof(Element) == 1;
  using any_element = const unsigned char;

  flags() = default;
  template <class Element, std::integral Size>
  flags(Element* items, Size size) : flags(detail::memory_of<flags>(items, size)) {
    static_assert(takes<Element>,
                  "rankloss: expected a pointer to flags of one byte, such as bool or std::uint8_t");
  }
  template <detail::other_than<flags> Source>
  requires(!detail::owner<Source>) flags(const Source& items)
  noexcept(!detail::rows_of_host<const Source>) : flags(detail::memory_of<flags>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<flags> Source>
  requires detail::owner<Source> flags(const Source& items RANKLOSS_LIFETIMEBOUND)
  noexcept(!detail::rows_of_host<const Source>) : flags(detail::memory_of<flags>(items)) {
    expect<const Source>();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool operator[](std::size_t i) const noexcept { return data_[i] != 0; }

 private:
  template <class Element>
  explicit flags(detail::memory<Element> items) noexcept
      : data_(reinterpret_cast<const unsigned char*>(items.data)), size_(items.size) {}

  template <class Source>
  static constexpr void expect() noexcept {
    detail::expect_array<Source>();
    static_assert(detail::takes_elements_of<flags, Source>(),
                  "rankloss: expected an array of flags of one byte, such as bool or std::uint8_t");
  }

  const unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

template <class View>
inline constexpr bool writes = std::same_as<View, real_output>;

template <bool Columns, class Given>
[[nodiscard]] auto lines_of(std::remove_reference_t<Given>& matrix) {
  expect_matrix_that_stays<Given>();
  const auto lines = matrix_of_lines<Columns>(matrix);
  return array_view(lines.data(), matrix_shape::of(lines).extent());
}

}  // namespace detail

/// shaped: a view of the elements of a matrix. It knows rows, columns and strides where its source has them:
/// a matrix_view, or a matrix of Eigen or xtensor (hosts/eigen.hpp, hosts/xtensor.hpp). For a plain array it
/// knows none of them; the field then defines the layout.
template <class View>
class shaped : public View {
 public:
  shaped() = default;
  shaped(const View& items) noexcept : View(items) {}
  template <class First, class SizeOrLast>
  requires std::constructible_from<View, First, SizeOrLast> shaped(First first, SizeOrLast last)
      : View(first, last) {}
  template <detail::other_than<View> Source>
  requires(!detail::writes<View> && !detail::owner<Source>) shaped(const Source& items)
      : shaped(made_of<const Source&>(items)) {}
  template <detail::other_than<View> Source>
  requires(!detail::writes<View> && detail::owner<Source>) shaped(const Source& items RANKLOSS_LIFETIMEBOUND)
      : shaped(made_of<const Source&>(items)) {}
  template <detail::other_than<View> Source>
  requires(detail::writes<View>) shaped(Source&& items) : shaped(made_of<Source>(items)) {}

  [[nodiscard]] const std::optional<matrix_shape>& shape() const noexcept { return shape_; }

  /// The same elements with another layout, such as the rows of a plain array.
  [[nodiscard]] shaped as(const matrix_shape& shape) const noexcept {
    shaped items = *this;
    items.shape_ = shape;
    return items;
  }

 private:
  template <class Given>
  static shaped made_of(std::remove_reference_t<Given>& items) {
    using source = std::remove_reference_t<Given>;
    if constexpr (!detail::host_array<source>) {
      return View(static_cast<Given&&>(items));
    } else if constexpr (detail::has_const_items<source>() && detail::writes<View>) {
      detail::expect_memory_that_stays<Given>();
      return {};
    } else if constexpr (!detail::takes_elements_of<View, source>()) {
      static_assert(detail::takes_elements_of<View, source>(),
                    "rankloss: expected a matrix with elements of the type that the batch or function names");
      return {};
    } else {
      if constexpr (detail::writes<View>) detail::expect_memory_that_stays<Given>();
      if constexpr (detail::array<source>) {
        if (!detail::host_matrix<std::remove_cv_t<source>>::is_matrix(items))
          return View(static_cast<Given&&>(items));
      }
      const auto matrix = detail::matrix_of(items);
      const matrix_shape shape = matrix_shape::of(matrix);
      return shaped(View(matrix.data(), shape.extent())).as(shape);
    }
  }

  std::optional<matrix_shape> shape_;
};

/// rows_of: the memory of a matrix with contiguous rows, from its first element to its last, for the fields
/// `scores`, `mask` or `gradient` of lists that are its rows, row_stride() apart. The elements between the
/// rows are part of it; the batch that row_lists makes skips them.
/// @throws std::invalid_argument when the elements of a row are not contiguous, or when rows overlap.
template <class Matrix>
[[nodiscard]] auto rows_of(Matrix&& matrix) {
  return detail::lines_of<false, Matrix>(matrix);
}

/// columns_of: the same for a matrix with contiguous columns, which are the lists.
template <class Matrix>
[[nodiscard]] auto columns_of(Matrix&& matrix) {
  return detail::lines_of<true, Matrix>(matrix);
}

}  // namespace rankloss::inline RANKLOSS_ABI

template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<rankloss::array_view<T>> = true;
template <class T>
inline constexpr bool std::ranges::enable_view<rankloss::array_view<T>> = true;
