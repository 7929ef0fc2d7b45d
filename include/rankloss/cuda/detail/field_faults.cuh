// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/device_span.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Checks of batches that are no batches of lists. `Fields` is what kernels are given of a batch, by value; it has
///
///     looked              of how many elements `fault` is asked
///     fault(i)            what is wrong with element i of any array, the first of its faults
///     describe(word, record)
///                         fills in the numbers that are told of it
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

inline constexpr unsigned look_threads = 256;

/// What is told of each field: see tell_of_field.
struct fault_words {
  const char* const* words;
  const char* expected = nullptr;
  std::size_t expected_size = 0;
};

/// Finds the first fault. The least of them is the same in whatever order they are found.
template <class Fields>
__global__ void __launch_bounds__(look_threads) look_at_fields(const Fields fields, fault_record* faults) {
  fault_word first = no_fault;
  for (std::size_t i = std::size_t{blockIdx.x} * look_threads + threadIdx.x; i < fields.looked;
       i += std::size_t{gridDim.x} * look_threads) {
    const fault_word own = fields.fault(i);
    first = own < first ? own : first;
  }
  if (first != no_fault) atomicMin(reinterpret_cast<unsigned long long*>(&faults->places), first);
}
/// Afterwards kernels of the call find the fault in `places`.
template <class Fields>
void look(const Fields& fields, fault_record* faults, cudaStream_t stream) {
  if (fields.looked == 0) return;
  launch("look_at_fields", look_at_fields<Fields>,
         static_cast<unsigned>(std::min(most_blocks, (fields.looked + look_threads - 1) / look_threads)),
         look_threads, 0, stream, fields, faults);
}

/// Keeps the fault of the call, if it is the first since the last check, and ends the call. By one thread.
template <class Fields>
__device__ inline void keep_fault(const Fields& fields, const fault_words& words, fault_record* faults) {
  const fault_word word = faults->places;
  if (word == no_fault) return;
  faults->places = no_fault;
  if (faults->word != no_fault) return;
  fault_record record{no_fault, word, 0, 0.0, 0, 0, words.expected, words.expected_size, words.words};
  fields.describe(word, record);
  *faults = record;
}
template <class Fields>
__global__ void __launch_bounds__(1)
    keep_found(const Fields fields, const fault_words words, fault_record* faults) {
  keep_fault(fields, words, faults);
}

/// Whether number i of an optional array is not finite.
template <class Numbers>
[[nodiscard]] __device__ inline bool not_finite_at(const Numbers& numbers, std::size_t i) {
  return i < numbers.size() && !is_finite(numbers[i]);
}
/// Whether weight i is none.
[[nodiscard]] __device__ inline bool bad_weight_at(const device_reals& weights, std::size_t i) {
  if (i >= weights.size()) return false;
  const double w = weights[i];
  return !(is_finite(w) && w >= 0.0);
}
/// Whether probability i is none.
[[nodiscard]] __device__ inline bool bad_probability_at(const device_reals& probabilities, std::size_t i) {
  return i < probabilities.size() && !rankloss::detail::within(probabilities[i], 1e-300, 1.0);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
