// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/cmpm.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::cmpm, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::cmpm, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::cmpm, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::cmpm, double, double);
