// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/bidirectional.cuh>
#include <rankloss/cuda/listnet.cuh>
#include <rankloss/cuda/metrics/ndcg.cuh>
#include <rankloss/cuda/sndcg.cuh>
#include <rankloss/cuda/softmax_cross_entropy.cuh>

#include "cuda/support/matrices_on_device.hpp"

namespace cuda_support {

template <class Loss, class T, class R>
void on_device(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch,
               const rankloss::cuda::outputs<T>& out, rankloss::cuda::context& ctx) {
  rankloss::evaluate(loss, batch, out, ctx);
}
template <class Loss, class T, class R>
std::size_t scratch_bytes(const Loss& loss, const rankloss::cuda::similarity_batch<T, R>& batch) {
  return rankloss::cuda::scratch_bytes(loss, batch);
}

}  // namespace cuda_support

#define COMPILE_MATRICES_ON_DEVICE(loss, T, R)                                                        \
  template void cuda_support::on_device(const loss&, const rankloss::cuda::similarity_batch<T, R>&,   \
                                        const rankloss::cuda::outputs<T>&, rankloss::cuda::context&); \
  template std::size_t cuda_support::scratch_bytes(const loss&, const rankloss::cuda::similarity_batch<T, R>&)

COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::softmax_cross_entropy>, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::softmax_cross_entropy>, double, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::sndcg>, float, int);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::metrics::ndcg>, float, int);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::listnet>, float, int);
