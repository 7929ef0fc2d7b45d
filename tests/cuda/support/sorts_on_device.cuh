// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/sorts/sort.hpp>

#include "cuda/support/sorts_on_device.hpp"

namespace cuda_support {

template <class Sort, class T>
void sort_on_device(const Sort& how, sort_product what, const rankloss::cuda::score_batch<T>& batch,
                    rankloss::cuda::device_span<const T> values,
                    rankloss::cuda::device_span<const T> cotangent, rankloss::cuda::device_span<T> out,
                    rankloss::cuda::context& ctx) {
  if (what == sort_product::apply) rankloss::sort_apply(how, batch, values, out, ctx);
  if (what == sort_product::transposed) rankloss::sort_apply_transposed(how, batch, values, out, ctx);
  if (what == sort_product::pullback) rankloss::sort_pullback(how, batch, values, cotangent, out, ctx);
}
template <class Sort, class T>
std::size_t sort_scratch_bytes(const Sort& how, const rankloss::cuda::score_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(how, batch);
}

}  // namespace cuda_support

/// Defines both for a sort and scores.
#define COMPILE_SORT_ON_DEVICE(sort, T)                                               \
  template void cuda_support::sort_on_device(                                         \
      const sort&, cuda_support::sort_product, const rankloss::cuda::score_batch<T>&, \
      rankloss::cuda::device_span<const T>, rankloss::cuda::device_span<const T>,     \
      rankloss::cuda::device_span<T>, rankloss::cuda::context&);                      \
  template std::size_t cuda_support::sort_scratch_bytes(const sort&, const rankloss::cuda::score_batch<T>&)
