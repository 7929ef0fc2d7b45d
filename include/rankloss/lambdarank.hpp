// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/pairwise.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// lambdarank: the logistic loss of label-ordered pairs, each weighted by the change of NDCG when its two
/// items swap their ranks.
///
///     loss = sum_{i, j: y_i > y_j} w_ij log(1 + exp(-(s_i - s_j) / temperature))
///     w_ij = |G_i - G_j| |1/D(r_i) - 1/D(r_j)| / ideal DCG
///
///     const rankloss::lambdarank loss{.weight = {.cutoff = 10}};
///
/// Burges: From RankNet to LambdaRank to LambdaMART: an overview, MSR-TR-2010-82; as a loss with fixed
/// weights, Wang et al.: The LambdaLoss framework for ranking metric optimization, CIKM 2018. r are the
/// ranks by score. Everything else as in `pairwise`.
using lambdarank = pairwise<pairs::logistic, pairs::delta_ndcg>;

/// lambdarank_map, lambdarank_mrr: the same by the change of average precision and of the reciprocal rank;
/// items of relevance > 0 are relevant.
using lambdarank_map = pairwise<pairs::logistic, pairs::delta_map>;
using lambdarank_mrr = pairwise<pairs::logistic, pairs::delta_mrr>;

}  // namespace rankloss::inline RANKLOSS_ABI
