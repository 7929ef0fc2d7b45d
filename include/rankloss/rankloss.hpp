// SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything that needs no optional dependency.

#include <rankloss/batch.hpp>
#include <rankloss/bidirectional.hpp>
#include <rankloss/context.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/retrieval.hpp>
#include <rankloss/relevance_scores.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/version.hpp>
#include <rankloss/weighted_sum.hpp>
#include <rankloss/workspace.hpp>
