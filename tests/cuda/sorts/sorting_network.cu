// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/sorts/sorting_network.cuh>

#include "cuda/support/sorts_on_device.cuh"

COMPILE_SORT_ON_DEVICE(rankloss::sorting_network, float);
COMPILE_SORT_ON_DEVICE(rankloss::sorting_network, double);
