// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/precision.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_precision_at_k: one minus the share of the first k ranks that relevant items have, by smooth
/// ranks.
///
///     loss = 1 - 1/k sum_{i relevant} cut(rank_i)
///
///     const rankloss::smooth_precision_at_k loss{.metric = {.cutoff = 10}, .ranks = {.temperature = 0.05}};
///
/// The remark on the cut in smooth_recall_at_k holds here too. Everything else as in smooth_metric.
using smooth_precision_at_k = smooth_metric<metrics::precision>;

}  // namespace rankloss::inline RANKLOSS_ABI
