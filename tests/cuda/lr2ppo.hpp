// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/lr2ppo.hpp>

#include <cstddef>

namespace cuda_support {

/// rankloss::evaluate, shape_rewards and scratch_bytes, for tests that the C++ compiler compiles: lr2ppo.cu defines
/// them.
template <class T>
void labels_on_device(const rankloss::lr2ppo& loss, const rankloss::cuda::label_policy_batch<T>& batch,
                      const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx);
template <class T>
void shaped_on_device(const rankloss::lr2ppo& loss, const rankloss::cuda::label_policy_batch<T>& batch,
                      const rankloss::cuda::device_span<double>& shaped, rankloss::cuda::context& ctx);
template <class T>
std::size_t scratch_of_labels(const rankloss::lr2ppo& loss,
                              const rankloss::cuda::label_policy_batch<T>& batch);

}  // namespace cuda_support
