// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/listmle.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::listmle, float, int);
COMPILE_ON_DEVICE(rankloss::listmle, float, double);
COMPILE_ON_DEVICE(rankloss::listmle, double, double);
