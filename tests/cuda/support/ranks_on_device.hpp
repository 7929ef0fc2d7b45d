// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>

#include <cstddef>

namespace cuda_support {

/// What is asked of ranks or of another function of scores: the ranks, or a product with their Jacobian.
enum class asked { values, pullback, push };

/// rankloss::rank and its products on the device for tests that the C++ compiler compiles: NAME.cu defines them.
template <class Ranks, class T>
void ranks_on_device(const Ranks& how, asked what, const rankloss::cuda::score_batch<T>& batch,
                     rankloss::cuda::device_span<const T> input, rankloss::cuda::device_span<T> out,
                     rankloss::cuda::context& ctx);
template <class Ranks, class T>
std::size_t rank_scratch_bytes(const Ranks& how, const rankloss::cuda::score_batch<T>& batch);

}  // namespace cuda_support
