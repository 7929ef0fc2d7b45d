// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/softmax_steps.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

namespace rankloss::inline RANKLOSS_ABI {

template <>
struct engine<softmax_cross_entropy, cuda::context>
    : cuda::detail::list_engine<softmax_cross_entropy, cuda::detail::softmax_list,
                                cuda::detail::over_grid<cuda::detail::softmax_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
