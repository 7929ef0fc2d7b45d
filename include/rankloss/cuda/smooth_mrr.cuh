// SPDX-License-Identifier: BSL-1.0
#pragma once

// smooth_mrr is a smooth_metric.
#include <rankloss/cuda/smooth_metric.cuh>
#include <rankloss/smooth_mrr.hpp>
