// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>

#include <algorithm>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Values of one term of a sum, in scratch, and those of the sum.
struct term_values {
  const double* value;
  const double* per_list;
  device_span<double> to_value;     ///< [1] or empty
  device_span<double> to_per_list;  ///< [lines] or empty
  double weight;                    ///< of the value
  double line_weight;               ///< of the values of lines
  bool first;                       ///< there is no sum yet

  __device__ void add(double& to, double own, double by) const {
    const double x = is_finite(own) ? held_as<double>(by * own) : by * own;
    to = first ? x : rankloss::detail::held_sum(to, x);
  }
};
template <class Values>
__global__ void __launch_bounds__(reduce_threads) add_term_values(const Values of) {
  const std::size_t l = std::size_t{blockIdx.x} * reduce_threads + threadIdx.x;
  if (l < of.to_per_list.size()) of.add(of.to_per_list[l], of.per_list[l], of.line_weight);
  if (l == 0 && !of.to_value.empty()) of.add(of.to_value[0], *of.value, of.weight);
}

/// Where the values of a term lie in scratch.
struct value_plan : scratch_plan {
  explicit value_plan(std::size_t lines) : value(take<double>(1)), per_list(take<double>(lines)) {}

  /// The outputs of a term: its own values, and the derivatives of the sum.
  template <class Outputs>
  [[nodiscard]] Outputs outputs_of_term(const Outputs& of_sum, void* memory) const {
    Outputs own = of_sum;
    own.value = device_span<double>(at<double>(memory, value), 1);
    own.per_list = device_span<double>(at<double>(memory, per_list), of_sum.per_list.size());
    return own;
  }
  /// Adds the values of a term to those of the sum.
  template <class Outputs>
  void add(const Outputs& of_sum, void* memory, double weight, double line_weight, bool first,
           cudaStream_t stream) const {
    const std::size_t lines = std::max<std::size_t>(1, of_sum.per_list.size());
    launch("add_term_values", add_term_values<term_values>,
           static_cast<unsigned>((lines + reduce_threads - 1) / reduce_threads), reduce_threads, 0, stream,
           term_values{at<double>(memory, value), at<double>(memory, per_list), of_sum.value, of_sum.per_list,
                       weight, line_weight, first});
  }

  std::size_t value, per_list;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
