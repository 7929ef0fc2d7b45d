// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/recall.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_recall_at_k: one minus the share of the relevant items whose soft rank is within k.
///
///     loss = 1 - sum_{i relevant} w_i cut(rank_i) / sum_{i relevant} w_i
///
///     const rankloss::smooth_recall_at_k loss{.metric = {.cutoff = 10}, .ranks = {.temperature = 0.05}};
///
/// Patel, Tolias, Matas: Recall@k surrogate loss with large batches and similarity mixup, CVPR 2022, arXiv
/// 2108.11179. The cut is a cubic that is exact at whole ranks, instead of the paper's second sigmoid. Only
/// items whose soft rank is between k and k + 1 have a gradient through the cut, so the temperature must be
/// high enough to spread soft ranks over several whole ones. Everything else as in smooth_metric.
using smooth_recall_at_k = smooth_metric<metrics::recall>;

}  // namespace rankloss::inline RANKLOSS_ABI
