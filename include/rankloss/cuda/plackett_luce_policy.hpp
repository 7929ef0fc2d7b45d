// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/order_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/plackett_luce_policy.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// order_batch: lists of scored items and an order of each, in the memory of a device. Its fields mean what those
/// of the rankloss::order_batch of the same names mean.
template <score T>
struct order_batch {
  using score_type = T;

  device_span<const T> scores;  ///< [items] any number except NaN
  device_indices orders{};      ///< [items] all items of each list, from 0, in the order of their positions
  device_indices offsets{};     ///< [lists + 1] non-decreasing, from 0 to the number of items
};

/// order_results: what evaluate_orders writes, and the factors that it reads, all in the memory of a device. The
/// fields mean what those of rankloss::order_results mean.
template <score T>
struct order_results {
  device_span<double> log_probabilities{};                ///< [lists]
  device_span<double> entropies{};                        ///< [lists]
  device_span<T> gradient{};                              ///< [items]
  device_reals upstream{};                                ///< [lists] read: factors on log P; empty: all 1
  device_reals entropy_upstream{};                        ///< [lists] read: factors on H; empty: all 0
  rankloss::update update = rankloss::update::overwrite;  ///< of the gradient
};

namespace detail {

template <class T>
void check_shape(const order_batch<T>& batch, const order_results<T>& out) {
  using rankloss::detail::check_optional;
  const std::size_t lists = lists_of(batch.offsets);
  check_order_items(batch.offsets, batch.scores.size());
  check_optional("log_probabilities", out.log_probabilities.size(), lists, "one per list");
  check_optional("entropies", out.entropies.size(), lists, "one per list");
  check_optional("gradient", out.gradient.size(), batch.scores.size(), "one per score");
  check_optional("upstream", out.upstream.size(), lists, "one per list");
  check_optional("entropy_upstream", out.entropy_upstream.size(), lists, "one per list");
  rankloss::detail::check_size("orders", batch.orders.size(), batch.scores.size(), "one per score");
}

// The policy is a template parameter, as its engine is not known yet.
template <class Policy, class T>
void run_orders(const Policy& policy, const order_batch<T>& batch, const order_results<T>& out,
                context& ctx) {
  expect_engine<Policy, order_batch<T>>();
  if constexpr (has_engine<Policy, order_batch<T>>) {
    rankloss::validate(policy);
    check_shape(batch, out);
    engine<Policy, context>::run(policy, batch, out, ctx);
  }
}
template <class Policy, class T>
[[nodiscard]] std::size_t scratch_of_orders(const Policy& policy, const order_batch<T>& batch) {
  expect_engine<Policy, order_batch<T>>();
  if constexpr (has_engine<Policy, order_batch<T>>) {
    check_order_items(batch.offsets, batch.scores.size());
    return engine<Policy, context>::scratch_bytes(policy, batch);
  }
  return 0;
}
template <class Policy, class T>
void run_samples(const Policy& policy, const device_span<const T>& scores, const device_indices& offsets,
                 std::uint32_t sample, const device_span<std::uint32_t>& orders, context& ctx) {
  expect_engine<Policy, order_batch<T>>();
  if constexpr (has_engine<Policy, order_batch<T>>) {
    rankloss::validate(policy);
    check_order_items(offsets, scores.size());
    rankloss::detail::check_size("orders", orders.size(), scores.size(), "one per score");
    engine<Policy, context>::run(policy, scores, offsets, sample, orders, ctx);
  }
}

}  // namespace detail

/// scratch_bytes: what `evaluate_orders` and `sample_orders` take of the scratch of a context, for
/// `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const plackett_luce_policy& policy, const order_batch<T>& batch) {
  return detail::scratch_of_orders(policy, batch);
}

}  // namespace cuda

/// evaluate_orders: queues on the stream of the context what computes log probabilities of orders under a policy,
/// entropies along them, and gradients by the scores, in the memory of the device.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`: 52 bytes an item.
/// - A list is computed by a warp or, beyond 256 items, by a block, in doubles. Its bits depend on the list alone.
/// - Edge cases: as on the host, but for bad numbers, offsets and orders, which `context::check` reports; then all
///   outputs are NaN.
/// @throws as `evaluate` of lists on a device.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const cuda::order_batch<T>& batch,
                     const std::type_identity_t<cuda::order_results<T>>& out, cuda::context& ctx) {
  cuda::detail::run_orders(policy, batch, out, ctx);
}

/// sample_orders: queues what draws an order of each list from the policy, to the memory of the device: the same
/// function of (seed, list, item, sample) as on the host, where no two noisy scores are equal but for rounding.
///
/// - Edge cases: where a score is NaN or offsets are bad, which `context::check` reports, no order is written.
/// @throws as `evaluate` of lists on a device.
template <score T>
void sample_orders(const plackett_luce_policy& policy, const cuda::device_span<const T>& scores,
                   const cuda::device_indices& offsets, std::uint32_t sample,
                   const cuda::device_span<std::uint32_t>& orders, cuda::context& ctx) {
  cuda::detail::run_samples(policy, scores, offsets, sample, orders, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
