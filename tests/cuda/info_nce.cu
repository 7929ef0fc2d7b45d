// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/info_nce.cuh>

#include "cuda/support/embeddings_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::info_nce, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::info_nce, double);
