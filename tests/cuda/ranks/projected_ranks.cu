// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/ranks/projected_ranks.cuh>

#include "cuda/support/ranks_on_device.cuh"

COMPILE_RANKS_ON_DEVICE(rankloss::projected_ranks, float);
COMPILE_RANKS_ON_DEVICE(rankloss::projected_ranks, double);
