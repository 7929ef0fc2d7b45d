// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/neural_sort_cross_entropy.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::neural_sort_cross_entropy, float, int);
COMPILE_ON_DEVICE(rankloss::neural_sort_cross_entropy, double, double);
