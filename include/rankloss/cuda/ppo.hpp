// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/ppo.hpp>

#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// policy_batch: actions with their log probabilities, in the memory of a device. Its fields mean what those of
/// the rankloss::policy_batch of the same names mean.
template <score T>
struct policy_batch {
  device_span<const T> log_probabilities;              ///< [n] of the policy that learns, finite; may be > 0
  device_span<const T> old_log_probabilities;          ///< [n] of the policy that acted, finite
  device_span<const T> advantages;                     ///< [n] finite
  device_reals weights{};                              ///< [n] >= 0, finite; empty: all 1
  device_flags mask{};                                 ///< [n] zero: it does not count; empty: all count
  device_span<const T> reference_log_probabilities{};  ///< [n] of a reference policy, finite; or empty
};

/// value_batch: the values that a critic gave to states and the returns that followed, in the memory of a device.
/// Its fields mean what those of the rankloss::value_batch of the same names mean.
template <score T>
struct value_batch {
  device_span<const T> values;        ///< [n] of the critic that learns, finite
  device_span<const T> returns;       ///< [n] finite
  device_span<const T> old_values{};  ///< [n] when the policy acted, finite; empty: no clipping
  device_reals weights{};             ///< [n] >= 0, finite; empty: all 1
  device_flags mask{};                ///< [n] zero: the state does not count; empty: all count
};

namespace detail {

template <class T>
void check_steps(const outputs<T>& out, const device_reals& weights, const device_flags& mask,
                 std::size_t n) {
  using rankloss::detail::check_optional;
  using rankloss::detail::require;
  require(out.per_list.empty(), "per_list: steps have none, expected an empty output");
  require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
  check_optional("value", out.value.size(), 1, "one per batch");
  check_optional("gradient", out.gradient.size(), n, "one per step");
  require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  check_optional("weights", weights.size(), n, "one per step");
  check_optional("mask", mask.size(), n, "one per step");
}

/// Checks what the host knows of a batch, in the words of rankloss::evaluate.
template <class T>
void check_shape(const policy_batch<T>& batch, const outputs<T>& out) {
  const std::size_t n = batch.log_probabilities.size();
  rankloss::detail::check_size("old_log_probabilities", batch.old_log_probabilities.size(), n,
                               "one per step");
  rankloss::detail::check_size("advantages", batch.advantages.size(), n, "one per step");
  rankloss::detail::check_optional("reference_log_probabilities", batch.reference_log_probabilities.size(), n,
                                   "one per step");
  check_steps(out, batch.weights, batch.mask, n);
}
template <class T>
void check_shape(const value_batch<T>& batch, const outputs<T>& out) {
  const std::size_t n = batch.values.size();
  rankloss::detail::check_size("returns", batch.returns.size(), n, "one per step");
  rankloss::detail::check_optional("old_values", batch.old_values.size(), n, "one per step");
  check_steps(out, batch.weights, batch.mask, n);
}

/// What both `evaluate` do.
template <class Loss, class Batch, class T>
void evaluate_steps(const Loss& loss, const Batch& batch, const outputs<T>& out, context& ctx) {
  expect_engine<Loss, Batch>();
  if constexpr (has_engine<Loss, Batch>) {
    rankloss::validate(loss);
    check_shape(batch, out);
    engine<Loss, context>::run(loss, batch, out, ctx);
  }
}
template <class T, class Loss, class Batch>
[[nodiscard]] std::size_t scratch_of_steps(const Loss& loss, const Batch& batch) {
  expect_engine<Loss, Batch>();
  if constexpr (has_engine<Loss, Batch>) {
    check_shape(batch, outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace detail

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const ppo& loss, const policy_batch<T>& batch) {
  return detail::scratch_of_steps<T>(loss, batch);
}
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const critic& loss, const value_batch<T>& batch) {
  return detail::scratch_of_steps<T>(loss, batch);
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of a policy's loss over actions, and its
/// gradient by the log probabilities, in the memory of the device.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`: some 40 bytes for each 2048 steps.
/// - Terms and sums are of doubles, summed up in chunks: the same bits on every run.
/// - Edge cases: as on the host, but for bad numbers, which `context::check` reports. Value and gradient of a
///   batch that has one are NaN.
/// @throws as `evaluate` of lists on a device.
template <score T>
void evaluate(const ppo& loss, const cuda::policy_batch<T>& batch, const cuda::outputs<T>& out,
              cuda::context& ctx) {
  cuda::detail::evaluate_steps(loss, batch, out, ctx);
}
/// evaluate: the same of a critic's loss over states, with its gradient by the values.
template <score T>
void evaluate(const critic& loss, const cuda::value_batch<T>& batch, const cuda::outputs<T>& out,
              cuda::context& ctx) {
  cuda::detail::evaluate_steps(loss, batch, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
