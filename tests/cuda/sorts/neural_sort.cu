// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/neural_sort.cuh>

#include "cuda/support/sorts_on_device.cuh"

COMPILE_SORT_ON_DEVICE(rankloss::neural_sort, float);
COMPILE_SORT_ON_DEVICE(rankloss::neural_sort, double);
