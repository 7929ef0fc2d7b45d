// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_mrr: one minus the reciprocal of the least soft rank of a relevant item.
///
///     loss = 1 - max_{i relevant} 1 / rank_i
///
///     const rankloss::smooth_mrr loss{.ranks = {.temperature = 0.1}};
///
/// The gradient goes to the relevant item with the least soft rank. TensorFlow Ranking's ApproxMRR is
/// instead the mean of 1 / rank_i over the relevant items, which is the same if there is only one. Everything
/// else as in smooth_metric.
using smooth_mrr = smooth_metric<metrics::reciprocal_rank>;

}  // namespace rankloss::inline RANKLOSS_ABI
