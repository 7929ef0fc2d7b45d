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
#include <type_traits>

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
  device_reals entropies{};                            ///< [n] finite, for diagnose; or empty
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
  rankloss::detail::check_optional("entropies", batch.entropies.size(), n, "one per step");
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

// The loss is a template parameter, as its engine is not known yet.
template <class Loss, class T>
void diagnose_policy(const Loss& loss, const policy_batch<T>& batch,
                     const device_span<policy_diagnostics>& found, context& ctx) {
  expect_engine<Loss, policy_batch<T>>();
  if constexpr (has_engine<Loss, policy_batch<T>>) {
    rankloss::validate(loss);
    check_shape(batch, outputs<T>{});
    rankloss::detail::check_size("found", found.size(), 1, "one per batch");
    engine<Loss, context>::diagnose(loss, batch, found, ctx);
  }
}
template <class Loss, class T>
void explain_values(const Loss& loss, const value_batch<T>& batch, const device_span<double>& explained,
                    context& ctx) {
  expect_engine<Loss, value_batch<T>>();
  if constexpr (has_engine<Loss, value_batch<T>>) {
    check_shape(batch, outputs<T>{});
    rankloss::detail::check_size("explained", explained.size(), 1, "one per batch");
    engine<Loss, context>::explain(loss, batch, explained, ctx);
  }
}
template <class Loss, class T>
void shape_step_rewards(const device_span<const T>& rewards, const device_span<const T>& log_probabilities,
                        const device_span<const T>& reference, double coefficient, kl_estimator estimator,
                        const device_span<T>& shaped, const device_flags& mask, context& ctx) {
  expect_engine<Loss, policy_batch<T>>();
  if constexpr (has_engine<Loss, policy_batch<T>>) {
    using rankloss::detail::check_size;
    const std::size_t n = shaped.size();
    check_size("rewards", rewards.size(), n, "one per shaped reward");
    check_size("log_probabilities", log_probabilities.size(), n, "one per shaped reward");
    check_size("reference_log_probabilities", reference.size(), n, "one per shaped reward");
    rankloss::detail::check_optional("mask", mask.size(), n, "one per shaped reward");
    rankloss::detail::require(rankloss::detail::is_finite(coefficient) && coefficient >= 0.0,
                              "coefficient: ", coefficient, ", expected a finite number >= 0");
    engine<Loss, context>::template shape<T>(
        {rewards, log_probabilities, reference, mask, coefficient, estimator, shaped, n}, ctx);
  }
}

}  // namespace detail

/// scratch_bytes: what `evaluate` and `diagnose`, or `explained_variance`, take of the scratch of a context,
/// for `context::reserve`. `shape_rewards` takes none.
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
///   `scratch_bytes`: some 100 bytes for each 2048 steps.
/// - Steps are summed up in chunks: the same bits on every run. Terms of floats are computed in floats where
///   these are enough.
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

/// diagnose: queues what computes the ratios, clipping and divergences of the policies, to [1] in the memory
/// of the device. All numbers of a batch with a bad number are NaN.
/// @throws as `evaluate`.
template <score T>
void diagnose(const ppo& loss, const cuda::policy_batch<T>& batch,
              const cuda::device_span<policy_diagnostics>& found, cuda::context& ctx) {
  cuda::detail::diagnose_policy(loss, batch, found, ctx);
}

/// explained_variance: queues what computes the share of the variance of the returns that the values explain,
/// to [1] in the memory of the device.
/// @throws as `evaluate`.
template <score T>
void explained_variance(const cuda::value_batch<T>& batch, const cuda::device_span<double>& explained,
                        cuda::context& ctx) {
  cuda::detail::explain_values(critic{}, batch, explained, ctx);
}

/// shape_rewards: queues what computes rewards minus a penalty on the divergence of the policy that acted
/// from a reference, step by step, in the memory of the device. `shaped` may be `rewards` itself. All of them
/// are NaN where a number is bad.
/// @throws as `evaluate`.
template <score T>
void shape_rewards(std::type_identity_t<cuda::device_span<const T>> rewards,
                   std::type_identity_t<cuda::device_span<const T>> log_probabilities,
                   std::type_identity_t<cuda::device_span<const T>> reference_log_probabilities,
                   double coefficient, kl_estimator estimator, const cuda::device_span<T>& shaped,
                   const cuda::device_flags& mask, cuda::context& ctx) {
  cuda::detail::shape_step_rewards<ppo>(rewards, log_probabilities, reference_log_probabilities, coefficient,
                                        estimator, shaped, mask, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
