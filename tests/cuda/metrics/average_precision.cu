// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/metrics/average_precision.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::metrics::average_precision, float, int);
COMPILE_ON_DEVICE(rankloss::metrics::average_precision, double, double);
