// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sndcg.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::sndcg, float, int);
COMPILE_ON_DEVICE(rankloss::sndcg, float, double);
COMPILE_ON_DEVICE(rankloss::sndcg, double, double);
