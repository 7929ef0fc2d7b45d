// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/projected_sort.cuh>

#include "cuda/support/ranks_on_device.cuh"

// The words of a sort, which are those of ranks but for the values.
namespace cuda_support {

template <class T>
void sorted_on_device(const rankloss::projected_sort& how, asked what,
                      const rankloss::cuda::score_batch<T>& batch, rankloss::cuda::device_span<const T> input,
                      rankloss::cuda::device_span<T> out, rankloss::cuda::context& ctx) {
  if (what == asked::values) rankloss::sort_values(how, batch, out, ctx);
  if (what == asked::pullback) rankloss::sort_values_pullback(how, batch, input, out, ctx);
  if (what == asked::push) rankloss::sort_values_push(how, batch, input, out, ctx);
}
template <>
void ranks_on_device(const rankloss::projected_sort& how, asked what,
                     const rankloss::cuda::score_batch<float>& batch,
                     rankloss::cuda::device_span<const float> input, rankloss::cuda::device_span<float> out,
                     rankloss::cuda::context& ctx) {
  sorted_on_device(how, what, batch, input, out, ctx);
}
template <>
void ranks_on_device(const rankloss::projected_sort& how, asked what,
                     const rankloss::cuda::score_batch<double>& batch,
                     rankloss::cuda::device_span<const double> input, rankloss::cuda::device_span<double> out,
                     rankloss::cuda::context& ctx) {
  sorted_on_device(how, what, batch, input, out, ctx);
}

}  // namespace cuda_support

template std::size_t cuda_support::rank_scratch_bytes(const rankloss::projected_sort&,
                                                      const rankloss::cuda::score_batch<float>&);
template std::size_t cuda_support::rank_scratch_bytes(const rankloss::projected_sort&,
                                                      const rankloss::cuda::score_batch<double>&);
