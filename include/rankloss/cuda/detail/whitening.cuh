// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/gae.hpp>

#include <cstddef>
#include <cstdint>

/// Shifts and scales numbers to mean 0 and standard deviation 1, as `whiten` of cpu/gae.hpp does. Chunk by chunk:
/// a block sums up a chunk, and one block the sums of all chunks, so the order of every sum is fixed.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Of the numbers that the mask keeps; of a chunk and then of all.
struct whitening_extent {
  double largest;       ///< magnitude
  std::uint64_t first;  ///< index of the first of them; the greatest number: there is none
  std::uint64_t count;
};
struct whitening_state {
  whitening_extent extent;
  double first;      ///< the number at extent.first, divided by the largest
  double mean;       ///< of what is left of the numbers
  double deviation;  ///< 0: all are equal but for rounding, and become 0
};

/// What a launch is given, by value.
template <class T>
struct whitening_task {
  const double* raw;  ///< [count]
  std::size_t count;
  device_flags mask;
  whitening how;
  const double* most;  ///< [parts] the largest of the numbers that these were summed from
  std::size_t parts;
  device_span<T> whitened;
  fault_record* faults;
  whitening_extent* extents = nullptr;  ///< [chunks]
  double* sums = nullptr;               ///< [chunks]
  whitening_state* state = nullptr;

  [[nodiscard]] __device__ bool faulty() const { return faults->places != no_fault; }
  [[nodiscard]] __device__ bool keeps(std::size_t i) const { return mask.empty() || mask[i]; }
  [[nodiscard]] __device__ double magnitude(std::size_t i) const { return fabs(raw[i]); }
  /// Numbers are divided by the largest, so that no square overflows, and taken relative to the first, so that
  /// the mean of equal numbers has no rounding error.
  [[nodiscard]] __device__ double shifted(const whitening_state& of, std::size_t i) const {
    return of.extent.largest > 0.0 ? raw[i] / of.extent.largest - of.first : 0.0;
  }
};

[[nodiscard]] __device__ inline whitening_extent merged(const block_team& team, const whitening_extent& own) {
  return {greatest(team, own.largest), least(team, own.first), sum(team, own.count)};
}
/// That of all chunks.
[[nodiscard]] __device__ inline whitening_extent merged(const block_team& team, const whitening_extent* of,
                                                        std::size_t chunks) {
  whitening_extent all{0.0, ~std::uint64_t{0}, 0};
  for (std::size_t c = team.rank(); c < chunks; c += team.size()) {
    const whitening_extent own = of[c];
    all.largest = fmax(all.largest, own.largest);
    all.first = own.first < all.first ? own.first : all.first;
    all.count += own.count;
  }
  return merged(team, all);
}
/// Calls body(i) for the kept numbers of the chunk of this block, each thread for its own.
template <class Task, class Body>
__device__ inline void over_chunk(const block_team& team, const Task& task, Body body) {
  for_chunk(team, task.count, [&](std::size_t i) {
    if (task.keeps(i)) body(i);
  });
}

template <class Task>
__global__ void __launch_bounds__(term_threads) find_extents(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  whitening_extent own{0.0, ~std::uint64_t{0}, 0};
  over_chunk(team, task, [&](std::size_t i) {
    own.largest = fmax(own.largest, task.magnitude(i));
    own.first = i < own.first ? i : own.first;
    ++own.count;
  });
  own = merged(team, own);
  if (team.rank() == 0) task.extents[blockIdx.x] = own;
}

/// One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) merge_extents(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  const whitening_extent all = merged(team, task.extents, chunks_of(task.count));
  const double first = all.largest > 0.0 ? task.raw[all.first] / all.largest : 0.0;
  if (team.rank() == 0) *task.state = {all, first, 0.0, 0.0};
}

/// Sums up what is left of the numbers, or the squares of their distances from its mean.
template <class Task>
__global__ void __launch_bounds__(term_threads) sum_shifted(const Task task, bool squares) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  const whitening_state state = *task.state;
  double own = 0.0;
  over_chunk(team, task, [&](std::size_t i) {
    const double x = task.shifted(state, i) - state.mean;
    own += squares ? x * x : x;
  });
  own = sum(team, own);
  if (team.rank() == 0) task.sums[blockIdx.x] = own;
}

/// The mean or the deviation. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) merge_shifted(const Task task, bool squares) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  double all = 0.0, most = 0.0;
  for (std::size_t c = team.rank(); c < chunks_of(task.count); c += team.size()) all += task.sums[c];
  all = sum(team, all);
  for (std::size_t p = team.rank(); squares && p < task.parts; p += team.size())
    most = fmax(most, task.most[p]);
  most = greatest(team, most);
  if (team.rank() != 0) return;
  whitening_state& state = *task.state;
  const std::uint64_t count = state.extent.count;
  if (!squares) {
    state.mean = count > 0 ? all / static_cast<double>(count) : 0.0;
    return;
  }
  const std::uint64_t freedom = task.how == whitening::bessel && count > 0 ? count - 1 : count;
  const double deviation = freedom > 0 ? sqrt(all / static_cast<double>(freedom)) : 0.0;
  const bool differ =
      count > 1 && state.extent.largest > 0.0 && deviation > 1e-13 * (most / state.extent.largest);
  state.deviation = differ ? deviation : 0.0;
}

template <class Task>
__global__ void __launch_bounds__(term_threads) write_whitened(const Task task) {
  using T = std::remove_reference_t<decltype(task.whitened[0])>;
  if (task.faulty()) return;
  const whitening_state state = *task.state;
  const std::size_t begin = std::size_t{blockIdx.x} * term_chunk;
  for (std::size_t i = begin + threadIdx.x; i < begin + term_chunk && i < task.count; i += term_threads)
    task.whitened[i] = state.deviation > 0.0 && task.keeps(i)
                           ? held_as<T>((task.shifted(state, i) - state.mean) / state.deviation)
                           : T{0};
}

struct whitening_plan {
  whitening_plan(scratch_plan& scratch, std::size_t count)
      : extents(scratch.take<whitening_extent>(chunks_of(count))),
        sums(scratch.take<double>(chunks_of(count))),
        state(scratch.take<whitening_state>(count > 0 ? 1 : 0)) {}

  std::size_t extents, sums, state;
};

template <class T>
void whiten(whitening_task<T> task, const whitening_plan& to, void* memory, cudaStream_t stream) {
  using task_type = whitening_task<T>;
  if (task.count == 0) return;
  task.extents = scratch_plan::at<whitening_extent>(memory, to.extents);
  task.sums = scratch_plan::at<double>(memory, to.sums);
  task.state = scratch_plan::at<whitening_state>(memory, to.state);
  const auto chunks = static_cast<unsigned>(chunks_of(task.count));
  launch("find_extents", find_extents<task_type>, chunks, term_threads, 0, stream, task);
  launch("merge_extents", merge_extents<task_type>, 1, reduce_threads, 0, stream, task);
  for (const bool squares : {false, true}) {
    launch("sum_shifted", sum_shifted<task_type>, chunks, term_threads, 0, stream, task, squares);
    launch("merge_shifted", merge_shifted<task_type>, 1, reduce_threads, 0, stream, task, squares);
  }
  launch("write_whitened", write_whitened<task_type>, chunks, term_threads, 0, stream, task);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
