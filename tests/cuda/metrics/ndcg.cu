// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/metrics/ndcg.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::metrics::ndcg, float, int);
COMPILE_ON_DEVICE(rankloss::metrics::ndcg, double, double);
