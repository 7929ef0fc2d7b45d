// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/hosts/xgboost.cuh>

#include "cuda/support/on_device.cuh"

COMPILE_ON_DEVICE(rankloss::xgboost::ndcg, float, int);
COMPILE_ON_DEVICE(rankloss::xgboost::ndcg, double, double);
COMPILE_ON_DEVICE(rankloss::xgboost::map, float, int);
COMPILE_ON_DEVICE(rankloss::xgboost::map, double, int);
COMPILE_ON_DEVICE(rankloss::xgboost::pairwise, float, int);
COMPILE_ON_DEVICE(rankloss::xgboost::pairwise, double, double);
