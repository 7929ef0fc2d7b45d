// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/info_nce.cuh>
#include <rankloss/cuda/siglip.cuh>
#include <rankloss/cuda/triplet.cuh>

#include "cuda/support/embeddings_by_cublas.cuh"

COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::info_nce, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::info_nce, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::siglip, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::siglip, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::triplet, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::triplet, double);
