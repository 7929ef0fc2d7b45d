// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/ranks/laplace_ranks.cuh>
#include <rankloss/cuda/smooth_metric.cuh>
#include <rankloss/cuda/soft_spearman.cuh>

#include "cuda/support/on_device.cuh"
#include "cuda/support/ranks_on_device.cuh"

COMPILE_RANKS_ON_DEVICE(rankloss::laplace_ranks, float);
COMPILE_RANKS_ON_DEVICE(rankloss::laplace_ranks, double);
using smooth_ap_by_laplace =
    rankloss::smooth_metric<rankloss::metrics::average_precision, rankloss::laplace_ranks>;
COMPILE_ON_DEVICE(smooth_ap_by_laplace, float, int);
COMPILE_ON_DEVICE(rankloss::soft_spearman<rankloss::laplace_ranks>, float, int);
