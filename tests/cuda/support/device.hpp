// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace cuda_support {

using rankloss::cuda::detail::require_success;

/// Elements in the memory of the device. Copies wait, so tests need not.
template <class T>
class array {
 public:
  explicit array(std::size_t size) : size_(size) {
    void* memory = nullptr;
    require_success(cudaMalloc(&memory, (size + 1) * sizeof(T)),
                    "cudaMalloc");  // room for one, as 0 bytes give null
    data_ = static_cast<T*>(memory);
  }
  array(const std::vector<T>& host) : array(host.size()) {
    if (size_ > 0)
      require_success(cudaMemcpy(data_, host.data(), size_ * sizeof(T), cudaMemcpyHostToDevice),
                      "cudaMemcpy");
  }
  array(array&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  array& operator=(array&&) = delete;
  ~array() { (void)cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] rankloss::cuda::device_span<T> view() const {
    return rankloss::cuda::device_span<T>(data_, size_);
  }
  /// What is there once all work is done.
  [[nodiscard]] std::vector<T> host() const {
    std::vector<T> copy(size_);
    require_success(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    if (size_ > 0)
      require_success(cudaMemcpy(copy.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
                      "cudaMemcpy");
    return copy;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

/// A stream that does not wait for the default one.
class stream {
 public:
  stream() {
    require_success(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~stream() {
    (void)cudaStreamSynchronize(stream_);
    (void)cudaStreamDestroy(stream_);
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Memory of cudaMalloc, with a count of calls.
struct counted_memory {
  std::size_t allocations = 0, deallocations = 0, bytes = 0;
  bool none_left = false;

  [[nodiscard]] rankloss::cuda::resource resource() { return {allocate, deallocate, this}; }

 private:
  static void* allocate(void* of, std::size_t bytes, cudaStream_t) {
    auto& self = *static_cast<counted_memory*>(of);
    require_success(self.none_left ? cudaErrorMemoryAllocation : cudaSuccess, "lent memory");
    ++self.allocations;
    self.bytes += bytes;
    void* memory = nullptr;
    require_success(cudaMalloc(&memory, bytes), "cudaMalloc");
    return memory;
  }
  static void deallocate(void* of, void* memory, std::size_t bytes, cudaStream_t stream) noexcept {
    auto& self = *static_cast<counted_memory*>(of);
    ++self.deallocations;
    self.bytes -= bytes;
    (void)cudaStreamSynchronize(stream);
    (void)cudaFree(memory);
  }
};

}  // namespace cuda_support
