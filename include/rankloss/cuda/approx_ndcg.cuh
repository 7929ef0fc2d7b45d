// SPDX-License-Identifier: BSL-1.0
#pragma once

// approx_ndcg is sndcg by the name of its origin.
#include <rankloss/approx_ndcg.hpp>
#include <rankloss/cuda/sndcg.cuh>
