// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/plackett_luce.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// partial_order_batch: lists of scored items and a partial order of each, by levels, in the memory of a device.
///
/// `levels` are what rankloss::partial_order::levels of a host's order by levels has; other numbers do as well, as
/// long as a better item has a smaller one. The other fields mean what those of the rankloss::partial_order_batch
/// of the same names mean; `longest` is that of a list_batch. An order by pairs has no batch here: its likelihood
/// by_pairs is bradley_terry over a preference_batch of `partial_order::pairs`.
template <score T>
struct partial_order_batch {
  using score_type = T;

  device_span<const T> scores;                ///< [items] any number except NaN
  device_span<const std::uint32_t> levels{};  ///< [items] 0 for the best, or partial_order::no_level
  device_indices offsets{};                   ///< [lists + 1] non-decreasing, from 0 to the number of items
  device_reals list_weights{};                ///< [lists] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
  std::size_t longest = 0;  ///< no list has more items; 0: any list may have all of them
};

namespace detail {

/// The lists of the batch, with relevance that is to be made from the levels.
template <class T>
[[nodiscard]] list_batch<T, double> lists_of_orders(const partial_order_batch<T>& batch,
                                                    const double* relevance, const unsigned char* mask) {
  const std::size_t items = batch.scores.size();
  return {.scores = batch.scores,
          .relevance = device_span<const double>(relevance, items),
          .offsets = batch.offsets,
          .list_weights = batch.list_weights,
          .mask = device_span<const unsigned char>(mask, items),
          .reduction = batch.reduction,
          .longest = batch.longest};
}

template <class T>
void check_shape(const partial_order_batch<T>& batch, const outputs<T>& out) {
  rankloss::detail::check_size("levels", batch.levels.size(), batch.scores.size(), "one per score");
  check_shape(lists_of_orders(batch, nullptr, nullptr), out);
}

// The loss is a template parameter, as its engine is not known yet.
template <class Loss, class T>
void evaluate_partial_orders(const Loss& loss, const partial_order_batch<T>& batch, const outputs<T>& out,
                             context& ctx) {
  expect_engine<Loss, partial_order_batch<T>>();
  if constexpr (has_engine<Loss, partial_order_batch<T>>) {
    rankloss::validate(loss);
    check_shape(batch, out);
    engine<Loss, context>::run(loss, batch, out, ctx);
  }
}
template <class Loss, class T>
[[nodiscard]] std::size_t scratch_of_partial_orders(const Loss& loss, const partial_order_batch<T>& batch) {
  expect_engine<Loss, partial_order_batch<T>>();
  if constexpr (has_engine<Loss, partial_order_batch<T>>) {
    check_shape(batch, outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace detail

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const plackett_luce& loss, const partial_order_batch<T>& batch) {
  return detail::scratch_of_partial_orders(loss, batch);
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of plackett_luce over lists and their
/// partial orders by levels, and its gradient and Hessian, in the memory of the device.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - The exact likelihood is computed in doubles, by a warp or, beyond 256 items, by a block: O(n log^2 n), and 20
///   to 100 passes over the items of every level but the last that has several. The likelihood by_pairs is that of
///   `ranknet`.
/// - `most_sets` has no say, as orders by levels take no down-sets.
/// - Edge cases: as on the host, but for bad numbers, which `context::check` reports. The scores of items without a
///   level are not looked at.
/// @throws as `evaluate` of lists on a device.
template <score T>
void evaluate(const plackett_luce& loss, const cuda::partial_order_batch<T>& batch,
              const cuda::outputs<T>& out, cuda::context& ctx) {
  cuda::detail::evaluate_partial_orders(loss, batch, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
