// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/ppo.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate and rankloss::cuda::scratch_bytes of steps, for tests that the C++ compiler compiles: ppo.cu
/// defines them.
template <class Loss, class Batch, class T>
void on_device(const Loss& loss, const Batch& batch, const rankloss::cuda::outputs<T>& out,
               rankloss::cuda::context& ctx);
template <class Loss, class Batch>
std::size_t scratch_bytes(const Loss& loss, const Batch& batch);
/// And rankloss::diagnose, explained_variance and shape_rewards.
template <class T>
void diagnosed_on_device(const rankloss::ppo& loss, const rankloss::cuda::policy_batch<T>& batch,
                         const rankloss::cuda::device_span<rankloss::policy_diagnostics>& found,
                         rankloss::cuda::context& ctx);
template <class T>
void explained_on_device(const rankloss::cuda::value_batch<T>& batch,
                         const rankloss::cuda::device_span<double>& explained, rankloss::cuda::context& ctx);
template <class T>
void shaped_on_device(const rankloss::cuda::device_span<const T>& rewards,
                      const rankloss::cuda::device_span<const T>& log_probabilities,
                      const rankloss::cuda::device_span<const T>& reference, double coefficient,
                      rankloss::kl_estimator estimator, const rankloss::cuda::device_span<T>& shaped,
                      const rankloss::cuda::device_flags& mask, rankloss::cuda::context& ctx);

}  // namespace cuda_support
