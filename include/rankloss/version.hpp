// SPDX-License-Identifier: BSL-1.0
#pragma once

// The version is defined only here; the build reads it from this file.
#define RANKLOSS_VERSION_MAJOR 0
#define RANKLOSS_VERSION_MINOR 1
#define RANKLOSS_VERSION_PATCH 0
