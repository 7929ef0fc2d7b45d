// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/detail/base/require.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>
#include <stdexcept>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::cuda {

/// resource: where a context has its memory from: two functions of the host, called with `of`. Both are in
/// the order of the stream. Work that was queued before may still use memory that is handed back.
///
/// The default, `stream_ordered`, is cudaMallocAsync and cudaFreeAsync.
struct resource {
  /// Returns at least `bytes` bytes aligned to 256, or throws.
  void* (*allocate)(void* of, std::size_t bytes, cudaStream_t stream);
  void (*deallocate)(void* of, void* memory, std::size_t bytes, cudaStream_t stream) noexcept;
  void* of = nullptr;
};

namespace detail {

inline void* allocate_in_order(void*, std::size_t bytes, cudaStream_t stream) {
  void* memory = nullptr;
  require_success(cudaMallocAsync(&memory, bytes, stream), "cudaMallocAsync");
  return memory;
}
inline void deallocate_in_order(void*, void* memory, std::size_t, cudaStream_t stream) noexcept {
  (void)cudaFreeAsync(memory, stream);
}

}  // namespace detail

[[nodiscard]] inline resource stream_ordered() noexcept {
  return {detail::allocate_in_order, detail::deallocate_in_order};
}

/// context: what a call of `evaluate` uses on a device: a stream of the caller's and scratch.
///
///     rankloss::cuda::context context{stream};
///
/// All work goes to this stream, in order. Nothing waits for it, reads back from it or uses another stream,
/// but for `check`. Scratch is one region of memory that grows to the largest call and is then kept; after
/// that nothing is allocated. While a stream is captured into a graph scratch cannot grow: `reserve` it
/// before.
///
/// Bad numbers in a batch are found by kernels; the first of them is kept until `check` asks for it. The
/// value of such a batch is NaN, and so are the value and the gradient of the list that holds the number. Of
/// a batch whose offsets or lengths are bad nothing else is written.
///
/// A context is used by one thread at a time, with the device of its stream current.
class context {
 public:
  /// @throws cuda::error when there is no device or no memory.
  explicit context(cudaStream_t stream, resource memory = stream_ordered(),
                   data_checks data = data_checks::on)
      : checks(data), stream_(stream), memory_(memory) {
    faults_ = static_cast<detail::fault_record*>(
        memory_.allocate(memory_.of, sizeof(detail::fault_record), stream_));
    const cudaError_t status = clear_faults();
    if (status == cudaSuccess) return;
    release();
    detail::require_success(status, "cudaMemsetAsync");
  }
  context(cudaStream_t stream, data_checks data) : context(stream, stream_ordered(), data) {}
  context(context&& other) noexcept
      : checks(other.checks),
        stream_(other.stream_),
        memory_(other.memory_),
        faults_(std::exchange(other.faults_, nullptr)),
        scratch_(std::exchange(other.scratch_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  context& operator=(context&& other) noexcept {
    context taken(std::move(other));
    std::swap(checks, taken.checks);
    std::swap(stream_, taken.stream_);
    std::swap(memory_, taken.memory_);
    std::swap(faults_, taken.faults_);
    std::swap(scratch_, taken.scratch_);
    std::swap(bytes_, taken.bytes_);
    return *this;
  }
  ~context() { release(); }

  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }

  /// Makes scratch hold at least so many bytes; `scratch_bytes` says how many a call needs.
  /// @throws cuda::error when there is no memory, and std::logic_error while the stream is captured.
  void reserve(std::size_t bytes) {
    if (faults_ == nullptr) [[unlikely]]
      fail_moved();
    if (bytes <= bytes_) return;
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    detail::require_success(cudaStreamIsCapturing(stream_, &capture), "cudaStreamIsCapturing");
    if (capture != cudaStreamCaptureStatusNone)
      rankloss::detail::fail<std::logic_error>("context: scratch of ", bytes_,
                                               " bytes while its stream is captured, expected ", bytes,
                                               ": reserve it before");
    if (scratch_ != nullptr)
      memory_.deallocate(memory_.of, std::exchange(scratch_, nullptr), std::exchange(bytes_, 0), stream_);
    scratch_ = memory_.allocate(memory_.of, bytes, stream_);
    bytes_ = bytes;
  }

  /// Waits for the stream, and reports the first bad number since the last check.
  /// @throws std::invalid_argument naming list and item, in the words of rankloss::evaluate, and cuda::error
  /// when work of the stream has failed.
  void check() {
    if (faults_ == nullptr) [[unlikely]]
      fail_moved();
    detail::fault_record found{};
    detail::require_success(cudaMemcpyAsync(&found, faults_, sizeof found, cudaMemcpyDeviceToHost, stream_),
                            "cudaMemcpyAsync");
    detail::require_success(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    if (found.word == detail::no_fault) return;
    detail::require_success(clear_faults(), "cudaMemsetAsync");
    detail::tell(found);
  }

  /// Memory of the device for one call, for engines.
  [[nodiscard]] void* scratch(std::size_t bytes) {
    reserve(held_ + bytes);
    return static_cast<unsigned char*>(scratch_) + held_;
  }
  /// For engines that call others: until the next `hold`, `scratch` gives what is behind the first bytes. These
  /// stay where they are as long as scratch need not grow.
  void hold(std::size_t bytes) noexcept { held_ = bytes; }
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  /// Where kernels leave the first bad number, for engines.
  [[nodiscard]] detail::fault_record* faults() const noexcept { return faults_; }

  data_checks checks;

 private:
  /// All bits set: no fault.
  [[nodiscard]] cudaError_t clear_faults() noexcept {
    return cudaMemsetAsync(faults_, 0xff, sizeof(detail::fault_record), stream_);
  }
  void release() noexcept {
    if (scratch_ != nullptr) memory_.deallocate(memory_.of, scratch_, bytes_, stream_);
    if (faults_ != nullptr) memory_.deallocate(memory_.of, faults_, sizeof(detail::fault_record), stream_);
  }
  [[noreturn]] static void fail_moved() {
    rankloss::detail::fail<std::logic_error>(
        "context: it has been moved from, expected one that holds its stream");
  }

  cudaStream_t stream_;
  resource memory_;
  detail::fault_record* faults_ = nullptr;
  void* scratch_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t held_ = 0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda
