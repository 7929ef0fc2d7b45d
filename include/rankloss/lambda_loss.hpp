// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/pairwise.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// The LambdaLoss family: logistic losses of pairs, weighted so that their sums bound a metric.
///
///     w_ij of ndcg_loss1       G_i / D(r_i) / ideal DCG, all pairs, an item with itself included
///             ndcg_loss2       |G_i - G_j| |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)| / ideal DCG
///             ndcg_loss2_plus  mu * (w_ij of ndcg_loss2) + w_ij of lambdarank
///             arp_loss1        y_i, all pairs, an item with itself included
///             arp_loss2        y_i - y_j
///
///     const rankloss::ndcg_loss2_plus loss{.function = {.logarithm = rankloss::pairs::logarithm::binary}};
///
/// Wang, Li, Golbandi, Bendersky, Najork: The LambdaLoss framework for ranking metric optimization, CIKM
/// 2018, doi 10.1145/3269206.3271784; the paper's logarithm is binary. Everything else as in `pairwise`.
using ndcg_loss1 = pairwise<pairs::logistic, pairs::ndcg_loss1>;
using ndcg_loss2 = pairwise<pairs::logistic, pairs::ndcg_loss2>;
using ndcg_loss2_plus = pairwise<pairs::logistic, pairs::ndcg_loss2_plus>;
using arp_loss1 = pairwise<pairs::logistic, pairs::arp_loss1>;
using arp_loss2 = pairwise<pairs::logistic, pairs::relevance_difference>;

}  // namespace rankloss::inline RANKLOSS_ABI
