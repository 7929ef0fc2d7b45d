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
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// partial_order_batch: lists of scored items and a partial order of each, in the memory of a device: by
/// levels or, without levels, by pairs.
///
/// `levels` are what rankloss::partial_order::levels of a host's order by levels has; other numbers do as
/// well, as long as a better item has a smaller one. `preferred` and `other` are what
/// rankloss::partial_order::from_pairs takes and `partial_order::pairs` returns: items by their indices among
/// all items, each pair within one list, and no cycle among them. A pair may be given more than once, and
/// counts once. The other fields mean what those of the rankloss::partial_order_batch of the same names mean;
/// `longest` is that of a list_batch.
template <score T>
struct partial_order_batch {
  using score_type = T;

  device_span<const T> scores;                ///< [items] any number except NaN
  device_span<const std::uint32_t> levels{};  ///< [items] 0 for the best, or partial_order::no_level
  device_indices preferred{};                 ///< [pairs] item, from 0; not together with levels
  device_indices other{};                     ///< [pairs] an item of the same list that is worse
  device_indices offsets{};                   ///< [lists + 1] non-decreasing, from 0 to the number of items
  device_reals list_weights{};                ///< [lists] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
  std::size_t longest = 0;  ///< no list has more items; 0: any list may have all of them
};

namespace detail {

/// The lists of the batch, with relevance that is to be made from the levels or the pairs.
template <class T, class R>
[[nodiscard]] list_batch<T, R> lists_of_orders(const partial_order_batch<T>& batch, const R* relevance) {
  return {.scores = batch.scores,
          .relevance = device_span<const R>(relevance, batch.scores.size()),
          .offsets = batch.offsets,
          .list_weights = batch.list_weights,
          .reduction = batch.reduction,
          .longest = batch.longest};
}

template <class T>
void check_shape(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs<T>& out) {
  using rankloss::detail::require;
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  const std::size_t items = batch.scores.size(), pairs = batch.preferred.size();
  rankloss::detail::check_size("other", batch.other.size(), pairs, "one per preferred");
  if (batch.levels.empty()) {
    require(items <= most, "scores: size ", items, ", expected at most 2^31 - 1 on a device");
    require(pairs <= most / 2, "preferred: size ", pairs, ", expected at most 2^30 - 1 on a device");
    require(pairs == 0 || loss.likelihood == order_likelihood::by_pairs,
            "likelihood: exact, expected by_pairs for an order by pairs on a device");
  } else {
    require(pairs == 0, "preferred: size ", pairs, ", expected none beside levels");
    rankloss::detail::check_size("levels", batch.levels.size(), items, "one per score");
  }
  check_shape(lists_of_orders<T, double>(batch, nullptr), out);
}

// The loss is a template parameter, as its engine is not known yet.
template <class Loss, class T>
void evaluate_partial_orders(const Loss& loss, const partial_order_batch<T>& batch, const outputs<T>& out,
                             context& ctx) {
  expect_engine<Loss, partial_order_batch<T>>();
  if constexpr (has_engine<Loss, partial_order_batch<T>>) {
    rankloss::validate(loss);
    check_shape(loss, batch, out);
    engine<Loss, context>::run(loss, batch, out, ctx);
  }
}
template <class Loss, class T>
[[nodiscard]] std::size_t scratch_of_partial_orders(const Loss& loss, const partial_order_batch<T>& batch) {
  expect_engine<Loss, partial_order_batch<T>>();
  if constexpr (has_engine<Loss, partial_order_batch<T>>) {
    check_shape(loss, batch, outputs<T>{});
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
/// partial orders, and its gradient and Hessian, in the memory of the device.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - The exact likelihood is computed in doubles, by a warp or, beyond 256 items, by a block: O(n log^2 n), and 20
///   to 100 passes over the items of every level but the last that has several. The likelihood by_pairs is that of
///   `ranknet`.
/// - Of orders by pairs there is the likelihood by_pairs alone. The pairs are sorted by their items: O(pairs
///   log pairs), and scratch of 32 bytes a pair and 17 an item. A block or warp computes a list, and with
///   data_checks::on it looks for cycles first, item by item along the longest chain.
/// - `most_sets` has no say, as orders by levels take no down-sets.
/// - Edge cases: as on the host, but for bad numbers and pairs, which `context::check` reports. The scores of
///   items without a level are not looked at.
/// @throws as `evaluate` of lists on a device.
template <score T>
void evaluate(const plackett_luce& loss, const cuda::partial_order_batch<T>& batch,
              const cuda::outputs<T>& out, cuda::context& ctx) {
  cuda::detail::evaluate_partial_orders(loss, batch, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
