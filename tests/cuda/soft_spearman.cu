// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/soft_spearman.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::soft_spearman<>, float, int);
COMPILE_ON_DEVICE(rankloss::soft_spearman<rankloss::projected_ranks>, double, double);
COMPILE_ON_DEVICE(rankloss::soft_spearman<rankloss::laplace_ranks>, double, double);
