// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/bidirectional.cuh>
#include <rankloss/cuda/info_nce.cuh>
#include <rankloss/cuda/listnet.cuh>
#include <rankloss/cuda/siglip.cuh>
#include <rankloss/cuda/triplet.cuh>
#include <rankloss/cuda/weighted_sum.cuh>

#include "cuda/support/embeddings_on_device.cuh"
#include "cuda/support/matrices_on_device.cuh"

using of_matrices = rankloss::weighted_sum<rankloss::triplet, rankloss::bidirectional<rankloss::listnet>>;
using of_matches = rankloss::weighted_sum<rankloss::info_nce, rankloss::siglip, rankloss::triplet>;

COMPILE_MATRICES_ON_DEVICE(of_matrices, double, double);
COMPILE_EMBEDDINGS_ON_DEVICE(of_matches, double);
