// SPDX-License-Identifier: BSL-1.0
#include "cuda/relevance_scores.hpp"

#include <rankloss/cuda/relevance_scores.cuh>

namespace cuda_support {

template <class T>
void relevance_on_device(const rankloss::cuda::caption_batch<T>& batch,
                         const rankloss::cuda::device_span<T>& relevance, rankloss::cuda::context& ctx,
                         std::size_t panel_captions) {
  using captions = rankloss::cuda::detail::caption_scores;
  if (panel_captions > 0)
    rankloss::engine<captions, rankloss::cuda::context>::run_in_panels(batch, relevance, ctx, panel_captions);
  else
    rankloss::relevance_scores(batch, relevance, ctx);
}
template <class T>
std::size_t scratch_of_captions(const rankloss::cuda::caption_batch<T>& batch) {
  return rankloss::cuda::scratch_bytes(batch);
}

#define COMPILE_CAPTIONS(T)                                                                          \
  template void relevance_on_device(const rankloss::cuda::caption_batch<T>&,                         \
                                    const rankloss::cuda::device_span<T>&, rankloss::cuda::context&, \
                                    std::size_t);                                                    \
  template std::size_t scratch_of_captions(const rankloss::cuda::caption_batch<T>&)

COMPILE_CAPTIONS(float);
COMPILE_CAPTIONS(double);

}  // namespace cuda_support
