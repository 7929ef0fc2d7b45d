// SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything that needs no optional dependency.

#include <rankloss/batch.hpp>
#include <rankloss/bidirectional.hpp>
#include <rankloss/context.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/version.hpp>
#include <rankloss/workspace.hpp>
