// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/bidirectional.cuh>
#include <rankloss/cuda/listnet.cuh>
#include <rankloss/cuda/metrics/ndcg.cuh>
#include <rankloss/cuda/sndcg.cuh>
#include <rankloss/cuda/softmax_cross_entropy.cuh>

#include "cuda/support/matrices_on_device.cuh"

COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::softmax_cross_entropy>, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::softmax_cross_entropy>, double, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::sndcg>, float, int);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::metrics::ndcg>, float, int);
COMPILE_MATRICES_ON_DEVICE(rankloss::bidirectional<rankloss::listnet>, float, int);
