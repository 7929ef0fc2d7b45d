// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/triplet.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::triplet, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::triplet, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::triplet, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::triplet, double, double);
