// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

#include <rankloss/cuda/detail/launch.cuh>

#include <cub/device/device_radix_sort.cuh>

#include <cstdint>

/// What the losses are compared with: a loop at the speed of memory, and CUB's sort.
namespace cuda_bench {
namespace {

__global__ void __launch_bounds__(256) add_arrays(const float* a, const float* b, float* sum, std::size_t n) {
  for (std::size_t i = std::size_t{blockIdx.x} * 256 + threadIdx.x; i < n; i += std::size_t{gridDim.x} * 256)
    sum[i] = a[i] + b[i];
}

/// Reads two arrays and writes a third.
class stream_call : public call {
 public:
  stream_call(std::size_t n, unsigned seed)
      : a_(normal_numbers<float>(n, 2 * seed)), b_(normal_numbers<float>(n, 2 * seed + 1)), sum_(n) {}
  [[nodiscard]] std::size_t bytes() const override { return 3 * a_.bytes(); }
  [[nodiscard]] std::size_t scratch_bytes() const override { return 0; }
  void queue(rankloss::cuda::context& ctx) override {
    const auto blocks = static_cast<unsigned>(std::min<std::size_t>((a_.size() + 255) / 256, 4096));
    rankloss::cuda::detail::launch("add_arrays", add_arrays, blocks, 256, 0, ctx.stream(),
                                   static_cast<const float*>(a_.data()), static_cast<const float*>(b_.data()),
                                   sum_.data(), a_.size());
  }

 private:
  array<float> a_, b_, sum_;
};

/// Sorts the indices of one list, the greatest score first.
class argsort_call : public call {
 public:
  argsort_call(std::size_t n, unsigned seed)
      : keys_(normal_numbers<float>(n, seed)), sorted_(n), index_(positions(n)), order_(n) {
    require_success(sort(nullptr, bytes_, nullptr), "cub::DeviceRadixSort");
  }
  [[nodiscard]] std::size_t bytes() const override { return 2 * (keys_.bytes() + index_.bytes()); }
  [[nodiscard]] std::size_t scratch_bytes() const override { return bytes_; }
  void queue(rankloss::cuda::context& ctx) override {
    require_success(sort(ctx.scratch(bytes_), bytes_, ctx.stream()), "cub::DeviceRadixSort");
  }

 private:
  static std::vector<std::uint32_t> positions(std::size_t n) {
    std::vector<std::uint32_t> all(n);
    for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<std::uint32_t>(i);
    return all;
  }
  cudaError_t sort(void* scratch, std::size_t& bytes, cudaStream_t stream) {
    return cub::DeviceRadixSort::SortPairsDescending(scratch, bytes, keys_.data(), sorted_.data(),
                                                     index_.data(), order_.data(),
                                                     static_cast<int>(keys_.size()), 0, 32, stream);
  }

  array<float> keys_, sorted_;
  array<std::uint32_t> index_, order_;
  std::size_t bytes_ = 0;
};

template <class Call>
void add(std::vector<benchmark>& all, const std::string& name, std::size_t n) {
  all.push_back({name + "/float/" + std::to_string(n), n,
                 [n](unsigned copy) -> std::unique_ptr<call> { return std::make_unique<Call>(n, copy); }});
}

}  // namespace

void add_yardsticks(std::vector<benchmark>& all) {
  for (const std::size_t n : {std::size_t{1000}, std::size_t{100000}, std::size_t{1048576}}) {
    add<stream_call>(all, "stream", n);
    add<argsort_call>(all, "argsort", n);
  }
}

}  // namespace cuda_bench
