// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/listnet.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::listnet, float, int);
COMPILE_ON_DEVICE(rankloss::listnet, double, double);
