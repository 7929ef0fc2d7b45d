// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/error.hpp>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

/// How kernels are timed: by events of the stream, warm, over copies of the data that are together larger
/// than the cache of the device, as a median.
namespace cuda_bench {

using rankloss::cuda::device_span;
using rankloss::cuda::detail::require_success;

/// Elements in the memory of the device.
template <class T>
class array {
 public:
  explicit array(std::size_t size) : size_(size) {
    void* memory = nullptr;
    require_success(cudaMalloc(&memory, std::max<std::size_t>(size, 1) * sizeof(T)), "cudaMalloc");
    data_ = static_cast<T*>(memory);
    require_success(cudaMemset(data_, 0, size * sizeof(T)), "cudaMemset");
  }
  explicit array(const std::vector<T>& host) : array(host.size()) {
    require_success(cudaMemcpy(data_, host.data(), size_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  array(const array&) = delete;
  array& operator=(const array&) = delete;
  ~array() { (void)cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(T); }
  [[nodiscard]] device_span<T> view() const { return device_span<T>(data_, size_); }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

/// What is timed: one call, with data of its own.
class call {
 public:
  virtual ~call() = default;
  /// Bytes that a call reads and writes at least: its inputs and outputs.
  [[nodiscard]] virtual std::size_t bytes() const = 0;
  /// Scratch of the context.
  [[nodiscard]] virtual std::size_t scratch_bytes() const = 0;
  virtual void queue(rankloss::cuda::context& ctx) = 0;
};

/// A benchmark: makes a call; `copy` is the seed of its data.
struct benchmark {
  std::string name;   ///< LOSS/TYPE/SHAPE, and /gradient where it is computed
  std::size_t items;  ///< scores, or pairs of rows and columns
  std::function<std::unique_ptr<call>(unsigned copy)> make;
};

struct settings {
  std::string filter = ".";
  std::size_t most_items = 0;  ///< leave out benchmarks of more items; 0: none
  int repetitions = 15;
  bool graphs = true;
};

struct timing {
  std::string name;
  std::size_t items, bytes, copies;
  double queued_us;    ///< a call in a row of calls that the host queues
  double replayed_us;  ///< a call in a row of calls that one graph holds; negative: not measured
};

/// Normal numbers of deviation 1.
template <class T>
[[nodiscard]] std::vector<T> normal_numbers(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<T> numbers;
  numbers.reserve(n);
  for (std::size_t i = 0; i < n; ++i) numbers.push_back(static_cast<T>(normal(random)));
  return numbers;
}
/// Grades from 0 to 4, each as likely as the others.
[[nodiscard]] inline std::vector<int> grades(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> grade(0, 4);
  std::vector<int> numbers(n);
  for (int& y : numbers) y = grade(random);
  return numbers;
}

namespace detail {

class event {
 public:
  event() { require_success(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~event() { (void)cudaEventDestroy(event_); }
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Microseconds of `work`, as the stream sees it: the median of some.
template <class Work>
[[nodiscard]] double median_us(cudaStream_t stream, int repetitions, Work work) {
  const event begin, end;
  std::vector<double> times;
  for (int k = 0; k < repetitions; ++k) {
    require_success(cudaEventRecord(begin, stream), "cudaEventRecord");
    work();
    require_success(cudaEventRecord(end, stream), "cudaEventRecord");
    require_success(cudaEventSynchronize(end), "cudaEventSynchronize");
    float ms = 0.0f;
    require_success(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
    times.push_back(static_cast<double>(ms) * 1e3);
  }
  const auto middle = times.begin() + repetitions / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace detail

/// Times one benchmark.
[[nodiscard]] inline timing measure(const benchmark& which, const settings& how, cudaStream_t stream,
                                    std::size_t cache_bytes) {
  std::vector<std::unique_ptr<call>> calls;
  calls.push_back(which.make(0));
  const std::size_t bytes = calls[0]->bytes();
  const std::size_t copies =
      std::clamp<std::size_t>(2 * cache_bytes / std::max<std::size_t>(bytes, 1) + 1, 1, 64);
  while (calls.size() < copies) calls.push_back(which.make(static_cast<unsigned>(calls.size())));

  rankloss::cuda::context ctx(stream);
  ctx.reserve(calls[0]->scratch_bytes());
  const auto queue_all = [&] {
    for (const auto& one : calls) one->queue(ctx);
  };
  queue_all();
  ctx.check();
  timing found{which.name, which.items, bytes, copies, 0.0, -1.0};
  const auto each = static_cast<double>(copies);
  found.queued_us = detail::median_us(stream, how.repetitions, queue_all) / each;
  if (how.graphs) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    require_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                    "cudaStreamBeginCapture");
    queue_all();
    require_success(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    require_success(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
    const auto replay = [&] { require_success(cudaGraphLaunch(ready, stream), "cudaGraphLaunch"); };
    replay();
    found.replayed_us = detail::median_us(stream, how.repetitions, replay) / each;
    require_success(cudaGraphExecDestroy(ready), "cudaGraphExecDestroy");
    require_success(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  ctx.check();
  return found;
}

/// Each file of benchmarks appends its own.
void add_yardsticks(std::vector<benchmark>& all);
void add_lists(std::vector<benchmark>& all);
void add_embeddings(std::vector<benchmark>& all);
void add_ranks(std::vector<benchmark>& all);
void add_policies(std::vector<benchmark>& all);

}  // namespace cuda_bench
