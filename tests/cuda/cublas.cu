// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/circle.cuh>
#include <rankloss/cuda/cmpm.cuh>
#include <rankloss/cuda/contrastive.cuh>
#include <rankloss/cuda/info_nce.cuh>
#include <rankloss/cuda/multi_similarity.cuh>
#include <rankloss/cuda/nca.cuh>
#include <rankloss/cuda/siglip.cuh>
#include <rankloss/cuda/triplet.cuh>
#include <rankloss/cuda/weighted_sum.cuh>

#include "cuda/support/embeddings_by_cublas.cuh"

using sum_of_two = rankloss::weighted_sum<rankloss::info_nce, rankloss::circle>;

COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::circle, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::circle, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::cmpm, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::cmpm, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::contrastive, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::contrastive, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::info_nce, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::info_nce, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::multi_similarity, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::multi_similarity, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::nca, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::nca, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::siglip, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::siglip, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::triplet, float);
COMPILE_EMBEDDINGS_BY_CUBLAS(rankloss::triplet, double);
COMPILE_EMBEDDINGS_BY_CUBLAS(sum_of_two, float);
