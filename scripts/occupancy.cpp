// SPDX-License-Identifier: BSL-1.0
// Reads lines "threads registers static_bytes dynamic_bytes", and writes for each how many of the threads that a
// processor holds are there on a T4, an A100 and an H100, in percent, by the toolkit's own rules.
// kernel_resources.py compiles and runs it.
#include <cuda_occupancy.h>

#include <cstddef>
#include <cstdio>

namespace {

/// As the CUDA C++ Programming Guide has it, "Technical specifications per compute capability".
cudaOccDeviceProp card(int major, int minor, int processors, int threads, std::size_t shared,
                       std::size_t most_shared, std::size_t reserved) {
  cudaOccDeviceProp p{};
  p.computeMajor = major;
  p.computeMinor = minor;
  p.maxThreadsPerBlock = 1024;
  p.maxThreadsPerMultiprocessor = threads;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.warpSize = 32;
  p.sharedMemPerBlock = 48 * 1024;
  p.sharedMemPerMultiprocessor = shared;
  p.numSms = processors;
  p.sharedMemPerBlockOptin = most_shared;
  p.reservedSharedMemPerBlock = reserved;
  return p;
}

}  // namespace

int main() {
  const cudaOccDeviceProp cards[] = {card(7, 5, 40, 1024, 64 * 1024, 64 * 1024, 0),
                                     card(8, 0, 108, 2048, 164 * 1024, 163 * 1024, 1024),
                                     card(9, 0, 132, 2048, 228 * 1024, 227 * 1024, 1024)};
  int threads, registers;
  std::size_t fixed, dynamic;
  while (std::scanf("%d %d %zu %zu", &threads, &registers, &fixed, &dynamic) == 4) {
    for (const cudaOccDeviceProp& p : cards) {
      cudaOccFuncAttributes kernel{};
      kernel.maxThreadsPerBlock = threads;
      kernel.numRegs = registers;
      kernel.sharedSizeBytes = fixed;
      kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
      cudaOccDeviceState state{};
      cudaOccResult found{};
      if (cudaOccMaxActiveBlocksPerMultiprocessor(&found, &p, &kernel, &state, threads, dynamic) !=
          CUDA_OCC_SUCCESS)
        return 1;
      std::printf("%d ", 100 * found.activeBlocksPerMultiprocessor * threads / p.maxThreadsPerMultiprocessor);
    }
    std::printf("\n");
  }
}
