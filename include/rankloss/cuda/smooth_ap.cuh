// SPDX-License-Identifier: BSL-1.0
#pragma once

// smooth_ap is a smooth_metric.
#include <rankloss/cuda/smooth_metric.cuh>
#include <rankloss/smooth_ap.hpp>
