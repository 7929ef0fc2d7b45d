// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/multi_similarity.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::multi_similarity, float);
COMPILE_EMBEDDINGS_ON_DEVICE(rankloss::multi_similarity, double);
COMPILE_MATRICES_ON_DEVICE(rankloss::multi_similarity, float, float);
COMPILE_MATRICES_ON_DEVICE(rankloss::multi_similarity, double, double);
