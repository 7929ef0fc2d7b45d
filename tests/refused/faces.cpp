// SPDX-License-Identifier: BSL-1.0

// Faces are for readers that have no SIMD library: compilers for other processors, generators of bindings.
#define RANKLOSS_FACES_ONLY
#include <rankloss/rankloss.hpp>

#if defined(XSIMD_VERSION_MAJOR)
#error a face includes xsimd
#endif
