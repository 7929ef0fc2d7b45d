// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/softmax_cross_entropy.cuh>
#include <rankloss/listnet.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// listnet of one list: the cross entropy that it is by definition.
struct listnet_list : softmax_list {
  [[nodiscard]] static listnet_list of(const listnet& loss) {
    return {softmax_list::of(loss.cross_entropy())};
  }
};

}  // namespace cuda::detail

template <>
struct engine<listnet, cuda::context>
    : cuda::detail::list_engine<listnet, cuda::detail::listnet_list,
                                cuda::detail::over_grid<cuda::detail::softmax_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
