// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/pairwise.cuh>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include "cuda/support/on_device.cuh"

using rankloss::pairwise;
namespace pairs = rankloss::pairs;

COMPILE_ON_DEVICE(rankloss::ranknet, float, int);
COMPILE_ON_DEVICE(rankloss::ranknet, double, double);
COMPILE_ON_DEVICE(rankloss::lambdarank, float, int);
COMPILE_ON_DEVICE(rankloss::lambdarank, double, double);
