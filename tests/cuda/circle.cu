// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/circle.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::circle, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::circle, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::circle, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::circle, double, double);
