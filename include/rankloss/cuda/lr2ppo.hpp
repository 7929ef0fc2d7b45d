// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/order_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/lr2ppo.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// label_policy_batch: states, each a list of labels, with the order that the old policy gave to it and its
/// reward, in the memory of a device. Its fields mean what those of the rankloss::label_policy_batch of the same
/// names mean.
template <score T>
struct label_policy_batch {
  using score_type = T;

  device_span<const T> scores;      ///< [items] of the policy that learns, any number except NaN
  device_span<const T> old_scores;  ///< [items] of the policy that acted, any number except NaN
  device_indices orders{};    ///< [items] the action: items of each list from 0, in order of their position
  device_indices offsets{};   ///< [lists + 1] non-decreasing, from 0 to the number of items
  device_reals rewards{};     ///< [lists] output of the reward model for the order, finite
  device_reals old_values{};  ///< [lists] output of the critic for the state, finite; empty: all 0
};

namespace detail {

template <class T>
void check_shape(const label_policy_batch<T>& batch, const outputs<T>& out) {
  using rankloss::detail::check_optional;
  using rankloss::detail::check_size;
  const std::size_t items = batch.scores.size(), lists = lists_of(batch.offsets);
  check_order_items(batch.offsets, items);
  check_size("old_scores", batch.old_scores.size(), items, "one per score");
  check_size("rewards", batch.rewards.size(), lists, "one per list");
  check_optional("old_values", batch.old_values.size(), lists, "one per list");
  check_optional("value", out.value.size(), 1, "one per batch");
  rankloss::detail::require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
  check_optional("gradient", out.gradient.size(), items, "one per score");
  check_optional("per_list", out.per_list.size(), lists, "one per list");
  rankloss::detail::require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale,
                            ", expected a finite number");
  check_size("orders", batch.orders.size(), items, "one per score");
}

// The loss is a template parameter, as its engine is not known yet.
template <class Loss, class T>
void run_labels(const Loss& loss, const label_policy_batch<T>& batch, const outputs<T>& out,
                const device_span<double>& shaped, context& ctx) {
  expect_engine<Loss, label_policy_batch<T>>();
  if constexpr (has_engine<Loss, label_policy_batch<T>>) {
    rankloss::validate(loss);
    check_shape(batch, out);
    rankloss::detail::check_optional("shaped", shaped.size(), lists_of(batch.offsets), "one per list");
    engine<Loss, context>::run(loss, batch, out, shaped, ctx);
  }
}
template <class Loss, class T>
[[nodiscard]] std::size_t scratch_of_labels(const Loss& loss, const label_policy_batch<T>& batch) {
  expect_engine<Loss, label_policy_batch<T>>();
  if constexpr (has_engine<Loss, label_policy_batch<T>>) {
    check_shape(batch, {});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace detail

/// scratch_bytes: what `evaluate` and `shape_rewards` take of the scratch of a context, for `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const lr2ppo& loss, const label_policy_batch<T>& batch) {
  return detail::scratch_of_labels(loss, batch);
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of LR2PPO's policy loss over states, its
/// gradient by the scores and the term of each state (per_list), in the memory of the device.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`: 28 bytes an item and 48 a list.
/// - A list is computed by a warp or, beyond 256 items, by a block, in doubles, pair by pair.
/// - Edge cases: as on the host, but for bad numbers, offsets and orders, which `context::check` reports; then all
///   outputs are NaN.
/// @throws as `evaluate` of lists on a device.
template <score T>
void evaluate(const lr2ppo& loss, const cuda::label_policy_batch<T>& batch, const cuda::outputs<T>& out,
              cuda::context& ctx) {
  cuda::detail::run_labels(loss, batch, out, {}, ctx);
}

/// shape_rewards: queues what computes the target of LR2PPO's critic, rewards_q - kl_coefficient KL_q, [lists] in
/// the memory of the device.
template <score T>
void shape_rewards(const lr2ppo& loss, const cuda::label_policy_batch<T>& batch,
                   const cuda::device_span<double>& shaped, cuda::context& ctx) {
  rankloss::detail::check_size("shaped", shaped.size(), cuda::detail::lists_of(batch.offsets),
                               "one per list");
  cuda::detail::run_labels(loss, batch, cuda::outputs<T>{}, shaped, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
