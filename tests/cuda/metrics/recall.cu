// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/metrics/recall.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::metrics::recall, float, int);
COMPILE_ON_DEVICE(rankloss::metrics::recall, double, double);
