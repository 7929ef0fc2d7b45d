// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// XGBoost's metrics, at 379b29f08. For its gradients see hosts/xgboost.hpp.
namespace xgboost {

inline constexpr convention description{.name = "XGBoost",
                                        .value = "metrics alone",
                                        .gain = "2^y - 1, grades to 31; y without ndcg_exp_gain",
                                        .discount = "1 / log2(1 + r)",
                                        .ties = "as they lie",
                                        .without_relevance = "ndcg and map 1, with the suffix - 0; pre 0",
                                        .reduction = "mean over lists by their weights",
                                        .cutoff = "ndcg@k, map@k, pre@k",
                                        .logarithm = "natural",
                                        .temperature = "1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// ndcg@k; with `otherwise` = 0 it is `ndcg@k-`. gain::linear is ndcg_exp_gain = false.
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(
    std::size_t k = 0, rankloss::gain gain = rankloss::gain::exponential, double otherwise = 1.0) {
  return {.metric = {.gain = gain, .cutoff = k}, .otherwise = otherwise};
}
/// map@k; divides by the number of all relevant items.
[[nodiscard]] constexpr value_without_relevance<metrics::average_precision> map(std::size_t k = 0,
                                                                                double otherwise = 1.0) {
  return {.metric = {.cutoff = k, .over = metrics::average_precision_over::relevant}, .otherwise = otherwise};
}
/// pre@k; divides by min(k, n), like the versions of XGBoost that have ranking caches; older ones divide by
/// k.
[[nodiscard]] constexpr metrics::precision pre(std::size_t k = 0) {
  return {.cutoff = k, .over = metrics::precision_over::retrieved};
}

}  // namespace xgboost

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
