// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/scaled_sort.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>

namespace rankloss::inline RANKLOSS_ABI {

template <>
struct engine<sinkhorn, cuda::context>
    : cuda::detail::sort_engine<sinkhorn, cuda::detail::scaled_sort, cuda::detail::scaled_sort_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
