// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/hosts/lightgbm.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::lightgbm::lambdarank, float, int);
COMPILE_ON_DEVICE(rankloss::lightgbm::lambdarank, double, double);
COMPILE_ON_DEVICE(rankloss::lightgbm::rank_xendcg, float, int);
COMPILE_ON_DEVICE(rankloss::lightgbm::rank_xendcg, double, double);
