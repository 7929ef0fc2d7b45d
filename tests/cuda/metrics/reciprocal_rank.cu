// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/metrics/reciprocal_rank.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::metrics::reciprocal_rank, float, int);
COMPILE_ON_DEVICE(rankloss::metrics::reciprocal_rank, double, double);
