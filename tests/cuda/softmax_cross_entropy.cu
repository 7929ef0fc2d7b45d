// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/softmax_cross_entropy.cuh>

#include "cuda/support/on_device.cuh"

#include <cstdint>

COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, int);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, float);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, double);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, std::int8_t);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, float, std::uint64_t);
COMPILE_ON_DEVICE(rankloss::softmax_cross_entropy, double, double);
