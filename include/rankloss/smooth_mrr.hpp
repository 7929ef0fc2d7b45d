// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_mrr: one minus the reciprocal rank of the first relevant item, of smooth ranks.
///
///     loss = 1 - max_{i relevant} 1 / rank_i
///
///     const rankloss::smooth_mrr loss{.ranks = {.temperature = 0.1}};
///
/// The gradient goes to the relevant item of the least smooth rank. TensorFlow Ranking's ApproxMRR is the mean of 1 / rank_i over the relevant
/// items, the same where there is one. Everything else as smooth_metric.
using smooth_mrr = smooth_metric<metrics::reciprocal_rank>;

}  // namespace rankloss::inline RANKLOSS_ABI
