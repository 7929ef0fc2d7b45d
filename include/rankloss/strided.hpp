// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// strided: elements at a constant distance in memory; a row, a column or a plain array.
template <class T>
class strided {
 public:
  strided() = default;
  strided(T* data, std::size_t size, std::ptrdiff_t stride = 1) noexcept
      : data_(data), size_(size), stride_(stride) {}
  strided(std::span<T> items) noexcept : data_(items.data()), size_(items.size()) {}
  // A template, because nvcc warns of a conversion of strided<const T> to itself.
  template <std::same_as<T> U>
  requires(!std::is_const_v<T>) operator strided<const U>() const noexcept { return {data_, size_, stride_}; }

  [[nodiscard]] T& operator[](std::size_t i) const noexcept {
    return data_[static_cast<std::ptrdiff_t>(i) * stride_];
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::ptrdiff_t stride() const noexcept { return stride_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::ptrdiff_t stride_ = 1;
};

}  // namespace rankloss::inline RANKLOSS_ABI
