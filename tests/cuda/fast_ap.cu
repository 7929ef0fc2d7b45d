// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/fast_ap.cuh>

#include "cuda/support/matrices_on_device.cuh"

COMPILE_MATRICES_ON_DEVICE(rankloss::fast_ap, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::fast_ap, double, double);
