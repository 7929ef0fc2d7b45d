// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/siglip.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::siglip, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::siglip, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::siglip, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::siglip, double, double);
