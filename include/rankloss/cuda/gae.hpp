// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// trajectory_batch: steps of trajectories in the memory of a device. Its fields mean what those of the
/// rankloss::trajectory_batch of the same names mean.
template <score T>
struct trajectory_batch {
  using score_type = T;

  device_span<const T> rewards;  ///< [steps] reward of the step, finite
  device_span<const T> values;   ///< [steps] value of the state before the step, finite
  device_indices offsets{};      ///< [trajectories + 1] non-decreasing, from 0 to the number of steps
  device_reals last_values{};    ///< [trajectories] of the state after the last step; empty: all 0
  device_reals discounts{};      ///< [steps] in [0, 1], on what follows the step; empty: the option's
  device_flags mask{};           ///< [steps] zero: the step is skipped; empty: all count
};

namespace detail {

/// Checks what the host knows of a batch, in the words of rankloss::estimate_advantages.
template <class T>
void check_shape(const trajectory_batch<T>& batch, std::size_t advantages, std::size_t returns) {
  using rankloss::detail::check_optional;
  const std::size_t steps = batch.rewards.size();
  rankloss::detail::check_size("values", batch.values.size(), steps, "one per reward");
  const std::size_t trajectories = batch.offsets.empty() ? 1 : batch.offsets.size() - 1;
  check_offsets(batch.offsets, steps);
  check_optional("last_values", batch.last_values.size(), trajectories, "one per trajectory");
  check_optional("discounts", batch.discounts.size(), steps, "one per reward");
  check_optional("mask", batch.mask.size(), steps, "one per reward");
  check_optional("advantages", advantages, steps, "one per reward");
  check_optional("returns", returns, steps, "one per reward");
  rankloss::detail::require(steps <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                            "rewards: size ", steps, ", expected at most 2^31 - 1 on a device");
}

/// What both functions do. The options are a template parameter, as their engine is not known yet.
template <class Options, class T>
void run_trajectories(const Options& options, const trajectory_batch<T>& batch,
                      const device_span<T>& advantages, const device_span<T>& returns, context& ctx) {
  expect_engine<Options, trajectory_batch<T>>();
  if constexpr (has_engine<Options, trajectory_batch<T>>) {
    rankloss::validate(options);
    check_shape(batch, advantages.size(), returns.size());
    engine<Options, context>::run(options, batch, advantages, returns, ctx);
  }
}
template <class Options, class T>
[[nodiscard]] std::size_t scratch_of_trajectories(const Options& options, const trajectory_batch<T>& batch) {
  expect_engine<Options, trajectory_batch<T>>();
  if constexpr (has_engine<Options, trajectory_batch<T>>) {
    check_shape(batch, 0, 0);
    return engine<Options, context>::scratch_bytes(options, batch);
  }
  return 0;
}

}  // namespace detail

/// scratch_bytes: what `estimate_advantages` takes of the scratch of a context, for `context::reserve`.
template <score T>
[[nodiscard]] std::size_t scratch_bytes(const gae& options, const trajectory_batch<T>& batch) {
  return detail::scratch_of_trajectories(options, batch);
}

}  // namespace cuda

/// estimate_advantages: queues on the stream of the context what computes advantages and returns, in the memory
/// of the device. The same words as for trajectories in the memory of the host; empty outputs are not written.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`: with whitening some 8 bytes for each step and trajectory, else nothing.
/// - A trajectory is scanned from its end by a warp or, beyond 256 steps, by a block, in doubles. The bits of a
///   trajectory depend on its own steps alone, but for whitening.
/// - Edge cases: as on the host, but for bad numbers and offsets, which `context::check` reports; advantages and
///   returns are NaN then. Partial sums are limited to the range of double in another order than on the host,
///   which makes a difference only where they leave it.
/// @throws as `evaluate` of lists on a device.
template <score T>
void estimate_advantages(const cuda::trajectory_batch<T>& batch, const gae& options,
                         std::type_identity_t<cuda::device_span<T>> advantages,
                         std::type_identity_t<cuda::device_span<T>> returns, cuda::context& ctx) {
  cuda::detail::run_trajectories(options, batch, advantages, returns, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
