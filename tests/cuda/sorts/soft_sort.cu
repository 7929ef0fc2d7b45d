// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/soft_sort.cuh>

#include "cuda/support/sorts_on_device.cuh"

COMPILE_SORT_ON_DEVICE(rankloss::soft_sort, float);
COMPILE_SORT_ON_DEVICE(rankloss::soft_sort, double);
