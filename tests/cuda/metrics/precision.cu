// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/metrics/precision.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::metrics::precision, float, int);
COMPILE_ON_DEVICE(rankloss::metrics::precision, double, double);
