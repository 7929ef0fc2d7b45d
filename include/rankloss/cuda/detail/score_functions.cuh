// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_kernel.cuh>

#include <cstddef>

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

/// Queues such a function. `Compute` is as list_engine documents it, with
///
///     input_fault(at, i), input_number(kind, at)
///                              what is wrong with what else it reads of item i, which lies at `at`
///     (team, list, sink, scratch) const
///                              writes one number of each item to the sink; returns 0
template <class Call, class Compute>
struct score_function {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Call& call, const score_batch<T>& batch) {
    return list_engine<Call, Compute>::scratch_bytes(call, as_lists(batch));
  }
  template <class T>
  static void run(const Call& call, const score_batch<T>& batch, device_span<T> out, context& ctx) {
    list_engine<Call, Compute>::run(call, as_lists(batch), outputs<T>{.gradient = out}, ctx);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
