// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/merge_sort.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
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

/// The sum of a derivative at the ends of one item: in doubles, or in two floats beside how large its parts
/// are.
template <class End>
class end_sum;
template <>
class end_sum<double> {
 public:
  __device__ void add(double x) { sum_ += x; }
  template <class Team>
  [[nodiscard]] __device__ end_sum of_all(const Team& team) const {
    end_sum all;
    all.sum_ = sum(team, sum_);
    return all;
  }
  [[nodiscard]] __device__ bool is_exact() const { return true; }
  template <class T>
  __device__ void put(T& to, double factor, update how) const {
    put_number(to, held_as<double>(factor * sum_), how);
  }

 private:
  double sum_ = 0.0;
};
template <>
class end_sum<two_floats> {
 public:
  __device__ void add(const two_floats& x) {
    sum_.add(x);
    size_ += fabsf(x.high);
  }
  template <class Team>
  [[nodiscard]] __device__ end_sum of_all(const Team& team) const {
    end_sum all;
    all.sum_ = sum(team, sum_);
    all.size_ = sum(team, size_);
    return all;
  }
  /// Whether enough is left of the parts. It is not where one of them is NaN.
  [[nodiscard]] __device__ bool is_exact() const { return fabsf(sum_.number().high) >= 1e-3f * size_; }
  __device__ void put(float& to, double factor, update how) const {
    const two_floats own = sum_.number();
    const auto near = static_cast<float>(factor);
    if (how == update::overwrite && moderate(own.high) && moderate(near))
      to = near * own.high;
    else
      put_number(to, held_as<double>(factor * exact_value(own)), how);
  }

 private:
  [[nodiscard]] static __device__ bool moderate(float x) {
    const float size = fabsf(x);
    return size >= 1e-18f && size <= 1e18f;
  }

  long_sum<float> sum_;
  float size_ = 0.0f;
};

/// What becomes of a derivative of the pairs at all ends. `Task` is the term_task of the loss.
template <class Task, class End, class T>
struct item_sums {
  Task task;
  const End* of_ends;  ///< [pairs, 2] the derivative times the weight of the pair
  bool second;         ///< whether it is the second derivative
  T* to;               ///< [items]

  [[nodiscard]] __device__ double factor() const {
    return held_as<double>(task.scale * task.mean().factor());
  }
  /// That of one end in doubles, computed again.
  [[nodiscard]] __device__ double exactly(std::uint32_t end) const {
    const std::size_t k = end / 2;
    const auto term = task.terms.term(k);
    const double w = task.mean().scaled(task.weight(k, term));
    return w * (second         ? end % 2 == 0 ? term.curvature_preferred : term.curvature_other
                : end % 2 == 0 ? term.slope_preferred
                               : term.slope_other);
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
template <class Task, class End, class T>
__global__ void __launch_bounds__(term_threads, 1)
    sum_ends(const item_sums<Task, End, T> sums, const std::uint32_t* runs, const item_end* ends,
             std::size_t items) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const std::size_t first = std::size_t{blockIdx.x} * term_threads, i = first + team.rank();
  if (sums.task.fault() != no_fault) {
    if (i < items) sums.to[i] = not_a_number<T>;
    return;
  }
  const double factor = sums.factor();
  const update how = sums.task.how;
  const auto in_doubles = [&](std::uint32_t from, std::uint32_t to, std::uint32_t step) {
    end_sum<double> own;
    for (std::uint32_t e = from; e < to; e += step) own.add(sums.exactly(number_of_end(ends[e])));
    return own;
  };
  const std::uint32_t begin = i < items ? runs[2 * i] : 0, end = i < items ? runs[2 * i + 1] : 0;
  if (i < items && end - begin <= most_ends_of_thread) {
    end_sum<End> own;
    for (std::uint32_t e = begin; e < end; ++e) own.add(sums.of_ends[number_of_end(ends[e])]);
    if (own.is_exact())
      own.put(sums.to[i], factor, how);
    else
      in_doubles(begin, end, 1).put(sums.to[i], factor, how);
  }
  if (greatest(team, end - begin) <= most_ends_of_thread) return;
  for (std::size_t item = first; item < items && item < first + term_threads; ++item) {
    const std::uint32_t from = runs[2 * item], to = runs[2 * item + 1];
    if (to - from <= most_ends_of_thread) continue;
    end_sum<End> own;
    for (std::uint32_t e = from + team.rank(); e < to; e += team.size())
      own.add(sums.of_ends[number_of_end(ends[e])]);
    own = own.of_all(team);
    if (own.is_exact()) {
      if (team.rank() == 0) own.put(sums.to[item], factor, how);
    } else {
      const auto exact = in_doubles(from + team.rank(), to, team.size()).of_all(team);
      if (team.rank() == 0) exact.put(sums.to[item], factor, how);
    }
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
  template <class Task, class End, class T>
  void add_up(const item_sums<Task, End, T>& sums, cudaStream_t stream) const {
    if (items_ > 0)
      launch("sum_ends", sum_ends<Task, End, T>, blocks(items_), term_threads, 0, stream, sums, runs_, ends_,
             items_);
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
