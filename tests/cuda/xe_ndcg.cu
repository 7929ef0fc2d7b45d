// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/xe_ndcg.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::xe_ndcg, float, int);
COMPILE_ON_DEVICE(rankloss::xe_ndcg, double, double);
