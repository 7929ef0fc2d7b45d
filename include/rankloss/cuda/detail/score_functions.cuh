// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <cstddef>
#include <cstdint>

/// Functions over lists of scores alone, such as `rank`. To the frame of list losses such a function is a loss
/// of value 0: what it writes goes where a gradient goes, so that teams, masks, places and checks are those of
/// losses.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The same lists, as the frame takes them.
template <class T>
[[nodiscard]] list_batch<T, T> as_lists(const score_batch<T>& batch) {
  return {.scores = batch.scores,
          .relevance = {},
          .offsets = batch.offsets,
          .length = batch.length,
          .stride = batch.stride,
          .lengths = batch.lengths,
          .mask = batch.mask,
          .reduction = reduction::sum,
          .longest = batch.longest};
}

/// The unit of the numbers that a product is formed with: one in which no sum of them overflows, where they are
/// near the largest double, as product_input chooses it on the host.
[[nodiscard]] __device__ inline double product_unit(double largest) {
  return largest > 1e200 ? unit_of(largest) : 1.0;
}
/// Brings the numbers x [n] that a product is formed with into this unit. Returns it; the product is divided by
/// it.
template <class Team>
[[nodiscard]] __device__ inline double into_units(const Team& team, std::uint32_t n, double* x) {
  team.sync();
  double largest = 0.0;
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) largest = fmax(largest, fabs(x[i]));
  largest = greatest(team, largest);
  const double unit = product_unit(largest);
  if (unit != 1.0)
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) x[i] *= unit;
  team.sync();
  return unit;
}

/// Queues such a function. `Compute` is as list_engine documents it, with
///
///     input_fault(at, i), input_number(kind, at)
///                              what is wrong with what else it reads of item i, which lies at `at`
///     (team, list, sink, scratch) const
///                              writes one number of each item to the sink; returns 0
///
/// `Long` is that of list_engine.
template <class Call, class Compute, class Long = one_block_each>
struct score_function {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Call& call, const score_batch<T>& batch) {
    return list_engine<Call, Compute, Long>::scratch_bytes(call, as_lists(batch));
  }
  template <class T>
  static void run(const Call& call, const score_batch<T>& batch, device_span<T> out, context& ctx) {
    list_engine<Call, Compute, Long>::run(call, as_lists(batch), outputs<T>{.gradient = out}, ctx);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
