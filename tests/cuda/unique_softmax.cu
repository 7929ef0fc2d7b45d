// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/unique_softmax.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::unique_softmax, float, int);
COMPILE_ON_DEVICE(rankloss::unique_softmax, float, double);
COMPILE_ON_DEVICE(rankloss::unique_softmax, double, double);
