// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/pointwise.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::pointwise_squared, float, int);
COMPILE_ON_DEVICE(rankloss::pointwise_squared, float, float);
COMPILE_ON_DEVICE(rankloss::pointwise_squared, double, double);
COMPILE_ON_DEVICE(rankloss::pointwise_logistic, float, int);
COMPILE_ON_DEVICE(rankloss::pointwise_logistic, float, float);
COMPILE_ON_DEVICE(rankloss::pointwise_logistic, double, double);
COMPILE_ON_DEVICE(rankloss::pointwise_ordinal, float, int);
COMPILE_ON_DEVICE(rankloss::pointwise_ordinal, float, float);
COMPILE_ON_DEVICE(rankloss::pointwise_ordinal, double, double);
COMPILE_ON_DEVICE(rankloss::pointwise_smooth_l1, float, int);
COMPILE_ON_DEVICE(rankloss::pointwise_smooth_l1, float, float);
COMPILE_ON_DEVICE(rankloss::pointwise_smooth_l1, double, double);
