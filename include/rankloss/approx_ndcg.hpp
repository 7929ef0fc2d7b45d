// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/sndcg.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// approx_ndcg: one minus the NDCG of sigmoid ranks. The same function as sndcg, by the name and with the temperatures of its origin:
/// 1 (allRank, whose alpha multiplies: temperature = 1 / alpha) or 0.1 (TensorFlow Ranking), where image-text retrieval takes 0.01.
///
///     const rankloss::approx_ndcg loss{.temperature = 0.1};
///
/// Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures, Information Retrieval 13 (2010);
/// Bruch, Zoghi, Bendersky, Najork: Revisiting approximate metric optimization in the age of deep neural networks, SIGIR 2019. Peers return
/// -NDCG; their lists without relevance count 0 in the mean, as ours do by reduction::mean.
using approx_ndcg = sndcg;

}  // namespace rankloss::inline RANKLOSS_ABI
