// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/merge_sort.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/error.hpp>

#include <cstddef>
#include <cstdint>

/// Sums over the pairs that an item is in. Each pair has two ends, 2 k of its preferred item and 2 k + 1 of the
/// other one. They are sorted by item and then by number, so that an item finds its own side by side in the order
/// of the pairs; then it adds them up.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// An end with its item, as one number: the item, and then the end in 32 bits. No two are equal.
using item_end = std::uint64_t;
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t item_of_end(item_end e) noexcept {
  return static_cast<std::uint32_t>(e >> 32);
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t number_of_end(item_end e) noexcept {
  return static_cast<std::uint32_t>(e);
}

/// Items of so many ends are added up by a thread, one end after the other; those of more by a block.
inline constexpr std::uint32_t most_ends_of_thread = 32;

/// What the sums take of scratch.
struct item_ends_plan {
  item_ends_plan(scratch_plan& scratch, std::size_t items, std::size_t pairs)
      : ends(scratch.take<item_end>(2 * pairs)),
        merged(scratch.take<item_end>(2 * pairs)),
        runs(scratch.take<std::uint32_t>(2 * items + 2)) {}

  std::size_t ends, merged, runs;
};

/// What becomes of a derivative of the pairs at all ends.
template <class T>
struct item_sums {
  const double* of_ends;  ///< [pairs, 2] the derivative times the weight of the pair
  const list_mean* computed;
  list_mean known;
  double scale;
  update how;
  T* to;  ///< [items]
  fault_record* faults;

  [[nodiscard]] __device__ double factor() const {
    return held_as<double>(scale * (computed != nullptr ? *computed : known).factor());
  }
};

/// Names the items of all ends. Where a pair names none the batch has a fault, and no end is used.
template <class Indices>
__global__ void __launch_bounds__(term_threads)
    name_ends(const Indices preferred, const Indices other, const fault_record* faults, item_end* ends) {
  const std::size_t k = std::size_t{blockIdx.x} * term_threads + threadIdx.x;
  if (k >= preferred.size()) return;
  const bool bad = faults->places != no_fault;
  ends[2 * k] = (bad ? 0 : static_cast<item_end>(preferred[k]) << 32) | (2 * k);
  ends[2 * k + 1] = (bad ? 0 : static_cast<item_end>(other[k]) << 32) | (2 * k + 1);
}

/// Where the ends of each item begin and end: runs [items, 2], which are 0 before.
template <class Index>
__global__ void __launch_bounds__(term_threads) mark_runs(const item_end* ends, Index count, Index* runs) {
  const Index e = blockIdx.x * term_threads + threadIdx.x;
  if (e >= count) return;
  const std::size_t item = item_of_end(ends[e]);
  if (e == 0 || item_of_end(ends[e - 1]) != item) runs[2 * item] = e;
  if (e + 1 == count || item_of_end(ends[e + 1]) != item) runs[2 * item + 1] = e + 1;
}

/// A derivative by the items. A block for as many items as it has threads.
template <class T>
__global__ void __launch_bounds__(term_threads)
    sum_ends(const item_sums<T> sums, const std::uint32_t* runs, const item_end* ends, std::size_t items) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const std::size_t first = std::size_t{blockIdx.x} * term_threads, i = first + team.rank();
  if (sums.faults->places != no_fault) {
    if (i < items) sums.to[i] = not_a_number<T>;
    return;
  }
  const double factor = sums.factor();
  const auto put = [&](std::size_t item, double own) {
    put_number(sums.to[item], held_as<double>(factor * own), sums.how);
  };
  const std::uint32_t begin = i < items ? runs[2 * i] : 0, end = i < items ? runs[2 * i + 1] : 0;
  if (i < items && end - begin <= most_ends_of_thread) {
    double own = 0.0;
    for (std::uint32_t e = begin; e < end; ++e) own += sums.of_ends[number_of_end(ends[e])];
    put(i, own);
  }
  if (greatest(team, end - begin) <= most_ends_of_thread) return;
  for (std::size_t item = first; item < items && item < first + term_threads; ++item) {
    const std::uint32_t from = runs[2 * item], to = runs[2 * item + 1];
    if (to - from <= most_ends_of_thread) continue;
    double own = 0.0;
    for (std::uint32_t e = from + team.rank(); e < to; e += team.size())
      own += sums.of_ends[number_of_end(ends[e])];
    own = sum(team, own);
    if (team.rank() == 0) put(item, own);
  }
}

class item_ends {
 public:
  item_ends(const item_ends_plan& plan, void* memory, std::size_t items, std::size_t pairs)
      : items_(items),
        count_(static_cast<std::uint32_t>(2 * pairs)),
        ends_(scratch_plan::at<item_end>(memory, plan.ends)),
        merged_(scratch_plan::at<item_end>(memory, plan.merged)),
        runs_(scratch_plan::at<std::uint32_t>(memory, plan.runs)) {}

  /// Sorts the ends.
  void sort(const device_indices& preferred, const device_indices& other, const fault_record* faults,
            cudaStream_t stream) {
    if (items_ > 0)
      require_success(cudaMemsetAsync(runs_, 0, 2 * items_ * sizeof(std::uint32_t), stream),
                      "cudaMemsetAsync");
    if (count_ == 0) return;
    launch("name_ends", name_ends<device_indices>, blocks(count_ / 2), term_threads, 0, stream, preferred,
           other, faults, ends_);
    ends_ = merge_sort(ends_, merged_, count_, stream);
    launch("mark_runs", mark_runs<std::uint32_t>, blocks(count_), term_threads, 0, stream, ends_, count_,
           runs_);
  }
  /// Adds up a derivative.
  template <class T>
  void add_up(const item_sums<T>& sums, cudaStream_t stream) const {
    if (items_ > 0)
      launch("sum_ends", sum_ends<T>, blocks(items_), term_threads, 0, stream, sums, runs_, ends_, items_);
  }

 private:
  [[nodiscard]] static unsigned blocks(std::size_t count) {
    return static_cast<unsigned>((count + term_threads - 1) / term_threads);
  }

  std::size_t items_;
  std::uint32_t count_;
  item_end* ends_;
  item_end* merged_;
  std::uint32_t* runs_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
