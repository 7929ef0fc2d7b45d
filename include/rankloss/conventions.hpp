// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/conventions/allrank.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/conventions/counting.hpp>
#include <rankloss/conventions/lightgbm.hpp>
#include <rankloss/conventions/listwise_itr.hpp>
#include <rankloss/conventions/pytorch_metric_learning.hpp>
#include <rankloss/conventions/rax.hpp>
#include <rankloss/conventions/tf_ranking.hpp>
#include <rankloss/conventions/xgboost.hpp>

/// Losses and metrics of rankloss, set as other libraries set them by default.
///
///     namespace peer = rankloss::conventions::rax;
///     const auto loss = peer::pairwise_logistic();
///     const std::vector<double> pairs = rankloss::conventions::pair_counts(loss, batch);
///     batch.list_weights = pairs;  // and batch.reduction = peer::reduction: the mean over all pairs
///     evaluate(loss, batch);
///
/// Each preset documents what it sets and what no option reproduces. All of them have in common:
///
/// - A loss that is minus a metric in the library is one minus the metric here. The library's value is ours -
///   1 for a list that contains a relevant item; for a list that does not, both are 0. The gradients are the
///   same.
/// - Clamps of probabilities and sigmoids, which stop gradients, and constants added to logarithms are left
///   out.
/// - Equal scores share their ranks here, and metrics are expectations over their random order. Other
///   libraries sort them, stably or not.
/// - Padding is masked by the batch, never by a label. Labels below 0 mark padding in TensorFlow Ranking, and
///   the label -1 does in allRank. Here losses and metrics that turn relevance into a gain refuse labels
///   below 0; losses that only compare relevance take them as the least relevant.
///
/// Where a library takes the mean over all pairs or items of the batch, here the mean over lists is taken,
/// with the numbers of their pairs or items as list weights. docs/conventions.md has all conventions as
/// tables; `describe` returns those of one library as text.
namespace rankloss::inline RANKLOSS_ABI::conventions {}
