// SPDX-License-Identifier: BSL-1.0
#pragma once

// smooth_precision_at_k is a smooth_metric.
#include <rankloss/cuda/smooth_metric.cuh>
#include <rankloss/smooth_precision_at_k.hpp>
