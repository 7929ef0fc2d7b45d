// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/ranks/rank.hpp>

#include "cuda/support/ranks_on_device.hpp"

namespace cuda_support {

template <class Ranks, class T>
void ranks_on_device(const Ranks& how, asked what, const rankloss::cuda::score_batch<T>& batch,
                     rankloss::cuda::device_span<const T> input, rankloss::cuda::device_span<T> out,
                     rankloss::cuda::context& ctx) {
  if (what == asked::values) rankloss::rank(how, batch, out, ctx);
  if constexpr (rankloss::detail::gives_gradient<Ranks>) {
    if (what == asked::pullback) rankloss::rank_pullback(how, batch, input, out, ctx);
    if (what == asked::push) rankloss::rank_push(how, batch, input, out, ctx);
  }
}
template <class Ranks, class T>
std::size_t rank_scratch_bytes(const Ranks& how, const rankloss::cuda::score_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(how, batch);
}

}  // namespace cuda_support

/// Defines both for ranks and scores.
#define COMPILE_RANKS_ON_DEVICE(ranks, T)                                                              \
  template void cuda_support::ranks_on_device(                                                         \
      const ranks&, cuda_support::asked, const rankloss::cuda::score_batch<T>&,                        \
      rankloss::cuda::device_span<const T>, rankloss::cuda::device_span<T>, rankloss::cuda::context&); \
  template std::size_t cuda_support::rank_scratch_bytes(const ranks&, const rankloss::cuda::score_batch<T>&)
