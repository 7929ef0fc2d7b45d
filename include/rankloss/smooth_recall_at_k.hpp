// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/recall.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_recall_at_k: one minus the fraction of the relevant items whose smooth rank is within k.
///
///     loss = 1 - sum_{i relevant} w_i cut(rank_i) / sum_{i relevant} w_i
///
///     const rankloss::smooth_recall_at_k loss{.metric = {.cutoff = 10}, .ranks = {.temperature = 0.05}};
///
/// Patel, Tolias, Matas: Recall@k surrogate loss with large batches and similarity mixup, CVPR 2022, arXiv 2108.11179, with a cubic that is exact
/// at whole ranks in place of their second sigmoid: gradients come from items whose smooth rank is between k and k + 1, so the temperature has to
/// blur ranks by some places. Everything else as smooth_metric.
using smooth_recall_at_k = smooth_metric<metrics::recall>;

}  // namespace rankloss::inline RANKLOSS_ABI
