// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda {

/// device_span: a view of contiguous elements in the memory of a device. It is made from a pointer and a size
/// and from nothing else, so that a view of host memory is never taken for one. Kernels read it element by
/// element; on the host only its address and size are known. Empty means "not given" or "not wanted", where a
/// field allows it.
template <class T>
class device_span {
 public:
  using element_type = T;

  device_span() = default;
  RANKLOSS_HOST_DEVICE explicit device_span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <class U>
  requires(std::is_const_v<T>&& std::same_as<const U, T> && !std::is_const_v<U>) RANKLOSS_HOST_DEVICE
      device_span(const device_span<U>& other)
  noexcept : data_(other.data()), size_(other.size()) {}

  [[nodiscard]] RANKLOSS_HOST_DEVICE T* data() const noexcept { return data_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t size() const noexcept { return size_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool empty() const noexcept { return size_ == 0; }
#if defined(__CUDACC__)
  [[nodiscard]] __device__ T& operator[](std::size_t i) const noexcept { return data_[i]; }
#endif

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// device_indices: indices in the memory of a device, signed or not, of 32 or 64 bits.
class device_indices {
 public:
  device_indices() = default;
  template <std::integral Element>
  requires(sizeof(Element) == 4 || sizeof(Element) == 8) device_indices(const device_span<Element>& items)
  noexcept
      : data_(items.data()),
        size_(items.size()),
        wide_(sizeof(Element) == 8),
        signed_(std::signed_integral<Element>) {}

  [[nodiscard]] RANKLOSS_HOST_DEVICE const void* data() const noexcept { return data_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t size() const noexcept { return size_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool empty() const noexcept { return size_ == 0; }
#if defined(__CUDACC__)
  /// Unsigned numbers of 2^63 or more are negative here; none of them is an index in memory.
  [[nodiscard]] __device__ std::int64_t operator[](std::size_t i) const noexcept {
    if (wide_) return static_cast<const std::int64_t*>(data_)[i];
    if (signed_) return static_cast<const std::int32_t*>(data_)[i];
    return static_cast<const std::uint32_t*>(data_)[i];
  }
#endif

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  [[maybe_unused]] bool wide_ = true;  // read by the device alone
  [[maybe_unused]] bool signed_ = true;
};

/// device_reals: floats or doubles in the memory of a device.
class device_reals {
 public:
  device_reals() = default;
  template <class Element>
  requires score<std::remove_const_t<Element>> device_reals(const device_span<Element>& items)
  noexcept : data_(items.data()), size_(items.size()), wide_(sizeof(Element) == 8) {}

  [[nodiscard]] RANKLOSS_HOST_DEVICE const void* data() const noexcept { return data_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t size() const noexcept { return size_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool empty() const noexcept { return size_ == 0; }
#if defined(__CUDACC__)
  [[nodiscard]] __device__ double operator[](std::size_t i) const noexcept {
    return wide_ ? static_cast<const double*>(data_)[i]
                 : static_cast<double>(static_cast<const float*>(data_)[i]);
  }
#endif

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  [[maybe_unused]] bool wide_ = true;  // read by the device alone
};

/// device_flags: one byte for each item, zero or not zero, in the memory of a device.
class device_flags {
 public:
  device_flags() = default;
  template <std::integral Element>
  requires(sizeof(Element) == 1) device_flags(const device_span<Element>& items)
  noexcept : data_(items.data()), size_(items.size()) {}

  [[nodiscard]] RANKLOSS_HOST_DEVICE const void* data() const noexcept { return data_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t size() const noexcept { return size_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool empty() const noexcept { return size_ == 0; }
#if defined(__CUDACC__)
  [[nodiscard]] __device__ bool operator[](std::size_t i) const noexcept {
    return static_cast<const unsigned char*>(data_)[i] != 0;
  }
#endif

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda
