// SPDX-License-Identifier: BSL-1.0
#pragma once

// The one place where the version stands; the build reads it from here.
#define RANKLOSS_VERSION_MAJOR 0
#define RANKLOSS_VERSION_MINOR 1
#define RANKLOSS_VERSION_PATCH 0
