// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/pairwise.cuh>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include "cuda/support/on_device.cuh"

namespace pairs = rankloss::pairs;
template <class Function>
using equally = rankloss::pairwise<Function, pairs::equal>;

COMPILE_ON_DEVICE(rankloss::ranknet, float, int);
COMPILE_ON_DEVICE(rankloss::ranknet, double, double);
COMPILE_ON_DEVICE(equally<pairs::soft_zero_one>, float, int);
COMPILE_ON_DEVICE(equally<pairs::soft_zero_one>, double, int);
COMPILE_ON_DEVICE(equally<pairs::hinge>, float, int);
COMPILE_ON_DEVICE(equally<pairs::hinge>, double, int);
COMPILE_ON_DEVICE(equally<pairs::squared_hinge>, float, int);
COMPILE_ON_DEVICE(equally<pairs::squared_hinge>, double, int);
COMPILE_ON_DEVICE(equally<pairs::exponential>, float, int);
COMPILE_ON_DEVICE(equally<pairs::exponential>, double, int);
COMPILE_ON_DEVICE(equally<pairs::squared_difference>, double, int);
COMPILE_ON_DEVICE(equally<pairs::quantile>, double, int);
COMPILE_ON_DEVICE(rankloss::lambdarank, float, int);
COMPILE_ON_DEVICE(rankloss::lambdarank, double, double);
COMPILE_ON_DEVICE(rankloss::lambdarank_map, float, int);
COMPILE_ON_DEVICE(rankloss::lambdarank_map, double, int);
COMPILE_ON_DEVICE(rankloss::lambdarank_mrr, float, int);
COMPILE_ON_DEVICE(rankloss::lambdarank_mrr, double, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss1, float, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss1, double, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss2, float, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss2, double, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss2_plus, float, int);
COMPILE_ON_DEVICE(rankloss::ndcg_loss2_plus, double, int);
COMPILE_ON_DEVICE(rankloss::arp_loss1, float, int);
COMPILE_ON_DEVICE(rankloss::arp_loss1, double, int);
COMPILE_ON_DEVICE(rankloss::arp_loss2, float, int);
COMPILE_ON_DEVICE(rankloss::arp_loss2, double, double);
