// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/smooth_metric.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// smooth_ap: one minus average precision, computed with soft ranks among all items and among the relevant
/// items.
///
///     loss = 1 - 1/P sum_{i relevant} rank among relevant_i / rank_i
///
///     const rankloss::smooth_ap loss{.ranks = {.temperature = 0.01}};
///
/// Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: Smoothing the path towards large-scale image retrieval, ECCV
/// 2020, arXiv 2007.12163, with temperature 0.01. In the paper a query is an item of its own list and
/// relevant to itself; put it into the list to reproduce that. Time O(n K) for each query, where the paper's
/// code takes O(n^2). Everything else as in smooth_metric.
using smooth_ap = smooth_metric<metrics::average_precision>;

}  // namespace rankloss::inline RANKLOSS_ABI
