// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/info_nce.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::info_nce, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::info_nce, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::info_nce, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::info_nce, double, double);
