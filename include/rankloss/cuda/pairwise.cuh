// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/pair_list.cuh>
#include <rankloss/cuda/detail/pair_steps.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/pairwise.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// For the functions and weights of rankloss/pairs/. Those of others have no kernel.
template <class Function, class Weight>
requires requires {
  sizeof(cuda::detail::device_pair_function<Function>);
  sizeof(cuda::detail::device_pair_weight<Weight>);
}
struct engine<pairwise<Function, Weight>, cuda::context>
    : cuda::detail::list_engine<pairwise<Function, Weight>, cuda::detail::pair_list<Function, Weight>,
                                cuda::detail::over_grid<cuda::detail::pair_steps<Function, Weight>>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
