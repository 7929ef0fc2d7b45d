// SPDX-License-Identifier: BSL-1.0
#pragma once

/// RANKLOSS_HOST_DEVICE marks a function of numbers that kernels call too. It is nothing where no compiler for
/// a GPU reads it.
#if defined(__CUDACC__)
#define RANKLOSS_HOST_DEVICE __host__ __device__
#else
#define RANKLOSS_HOST_DEVICE
#endif
