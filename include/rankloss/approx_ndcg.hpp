// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/sndcg.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// approx_ndcg: one minus the NDCG of sigmoid ranks. This is the same function as sndcg, under the name of
/// its origin. Its temperature there is 1 (allRank, whose alpha multiplies: temperature = 1 / alpha) or 0.1
/// (TensorFlow Ranking); image-text retrieval uses 0.01.
///
///     const rankloss::approx_ndcg loss{.temperature = 0.1};
///
/// Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures,
/// Information Retrieval 13 (2010); Bruch, Zoghi, Bendersky, Najork: Revisiting approximate metric
/// optimization in the age of deep neural networks, SIGIR 2019. Other libraries return -NDCG; their lists
/// without relevance count 0 in the mean, as ours do under reduction::mean.
using approx_ndcg = sndcg;

}  // namespace rankloss::inline RANKLOSS_ABI
