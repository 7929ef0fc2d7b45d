// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/scaled_sort.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/sorts/neural_sort.hpp>

namespace rankloss::inline RANKLOSS_ABI {

template <>
struct engine<neural_sort, cuda::context>
    : cuda::detail::sort_engine<neural_sort, cuda::detail::scaled_sort, cuda::detail::scaled_sort_steps> {};

}  // namespace rankloss::inline RANKLOSS_ABI
