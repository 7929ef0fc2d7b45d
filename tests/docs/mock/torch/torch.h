// SPDX-License-Identifier: BSL-1.0
#pragma once

// What docs/memory_of_other_libraries.md calls of libtorch, as libtorch declares it, so that the page compiles without it.

#include <cstdint>

#define TORCH_CHECK(condition, ...) \
  do {                              \
    if (!(condition)) throw 0;      \
  } while (false)

namespace torch {

struct Device {
  [[nodiscard]] bool is_cpu() const noexcept { return true; }
};

struct Tensor {
  template <class T>
  [[nodiscard]] T* data_ptr() const;
  [[nodiscard]] Device device() const;
  [[nodiscard]] std::int64_t dim() const;
  [[nodiscard]] std::int64_t numel() const;
  [[nodiscard]] std::int64_t size(std::int64_t dimension) const;
  [[nodiscard]] std::int64_t stride(std::int64_t dimension) const;
  [[nodiscard]] Tensor contiguous() const;
};

Tensor empty_like(const Tensor& other);
Tensor scalar_tensor(double value);

}  // namespace torch
