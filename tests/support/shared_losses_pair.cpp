// SPDX-License-Identifier: BSL-1.0
#include "shared_losses.hpp"

#if !defined(RANKLOSS_TESTS_SHARE_NOTHING)
RANKLOSS_TESTS_PAIR_LOSSES(RANKLOSS_TESTS_DEFINE_LISTS)
#endif
