// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/arrays/host_memory.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// half: a number of IEEE 754's 16 bits, as tensors of type float16 hold it. It is storage alone:
/// `reinterpret_cast<const rankloss::half*>(data)` of the memory of such a tensor.
struct half {
  std::uint16_t bits;

  [[nodiscard]] RANKLOSS_HOST_DEVICE explicit operator float() const noexcept {
    const std::uint32_t size = bits & 0x7fffu;
    // The exponent of a normal half is moved to that of a float, which moves again where it stands for
    // infinity or NaN. A subnormal half is so many times 2^-24, and comes here by no subnormal float, which a
    // host's processor may be told to take for 0. Masks in place of branches let compilers use vectors.
    const auto mask = [](bool yes) { return 0u - static_cast<std::uint32_t>(yes); };
    const std::uint32_t normal = (size << 13) + (112u << 23) + (mask(size >= 0x7c00u) & (112u << 23));
    const auto small = __builtin_bit_cast(std::uint32_t, static_cast<float>(static_cast<int>(size)) * 0x1p-24f);
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t is_normal = mask(size >= 0x400u);
    return __builtin_bit_cast(float, sign | (is_normal & normal) | (~is_normal & small));
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE explicit operator double() const noexcept {
    return static_cast<double>(static_cast<float>(*this));
  }
};

/// bfloat16: the upper half of a float, as tensors of that type hold it. It is storage alone, like `half`.
struct bfloat16 {
  std::uint16_t bits;

  [[nodiscard]] RANKLOSS_HOST_DEVICE explicit operator float() const noexcept {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE explicit operator double() const noexcept {
    return static_cast<double>(static_cast<float>(*this));
  }
};

/// vectors: the components of vectors that the host owns, read only: numbers of type T, or of type `half` or
/// `bfloat16`, which are widened where they are read. Empty means "not given".
template <score T>
class vectors {
 public:
  template <class Element>
  static constexpr bool takes =
      std::same_as<std::remove_const_t<Element>, T> || std::same_as<std::remove_const_t<Element>, half> ||
      std::same_as<std::remove_const_t<Element>, bfloat16>;
  using any_element = const T;

  vectors() = default;
  template <class Element, std::integral Size>
  vectors(Element* items, Size size) : vectors(detail::memory_of<vectors>(items, size)) {
    static_assert(takes<Element>,
                  "rankloss: expected a pointer to components of the type that the batch names, "
                  "or of type half or bfloat16");
  }
  template <detail::other_than<vectors> Source>
  requires(!detail::owner<Source>) vectors(const Source& items)
  noexcept(!detail::rows_of_host<const Source>) : vectors(detail::memory_of<vectors>(items)) {
    expect<const Source>();
  }
  template <detail::other_than<vectors> Source>
  requires detail::owner<Source> vectors(const Source& items RANKLOSS_LIFETIMEBOUND)
  noexcept(!detail::rows_of_host<const Source>) : vectors(detail::memory_of<vectors>(items)) {
    expect<const Source>();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Calls `visitor(pointer)` with a pointer to const T, half or bfloat16.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    if (kind_ == kind::halves) return visitor(static_cast<const half*>(data_));
    if (kind_ == kind::bfloat16) return visitor(static_cast<const bfloat16*>(data_));
    return visitor(static_cast<const T*>(data_));
  }

 private:
  enum class kind { own, halves, bfloat16 };

  template <class Element>
  explicit vectors(detail::memory<Element> items) noexcept
      : data_(items.data),
        size_(items.size),
        kind_(std::same_as<std::remove_const_t<Element>, half>       ? kind::halves
              : std::same_as<std::remove_const_t<Element>, bfloat16> ? kind::bfloat16
                                                                     : kind::own) {}

  template <class Source>
  static constexpr void expect() noexcept {
    detail::expect_array<Source>();
    static_assert(
        detail::takes_elements_of<vectors, Source>(),
        "rankloss: expected components of the type that the batch names, or of type half or bfloat16");
  }

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  kind kind_ = kind::own;
};

}  // namespace rankloss::inline RANKLOSS_ABI
