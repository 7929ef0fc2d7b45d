// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/sinkhorn.cuh>

#include "cuda/support/sorts_on_device.cuh"

COMPILE_SORT_ON_DEVICE(rankloss::sinkhorn, float);
COMPILE_SORT_ON_DEVICE(rankloss::sinkhorn, double);
