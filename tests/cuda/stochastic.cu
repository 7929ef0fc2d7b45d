// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/neural_ndcg.cuh>
#include <rankloss/cuda/sndcg.cuh>
#include <rankloss/cuda/stochastic.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::stochastic<rankloss::sndcg>, float, int);
COMPILE_ON_DEVICE(rankloss::stochastic<rankloss::neural_ndcg>, double, double);
