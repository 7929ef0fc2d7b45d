// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/neural_ndcg.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::neural_ndcg, float, int);
COMPILE_ON_DEVICE(rankloss::neural_ndcg, double, double);
