// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/conventions/convention.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/ndcg.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// LightGBM's metrics, at bae0b7ba9. For its gradients see hosts/lightgbm.hpp. Its rank_xendcg is
/// rankloss::xe_ndcg with other random numbers.
namespace lightgbm {

inline constexpr convention description{.name = "LightGBM",
                                        .value = "metrics alone",
                                        .gain = "a table, 2^y - 1 up to 30",
                                        .discount = "1 / log2(1 + r)",
                                        .ties = "as they lie",
                                        .without_relevance = "ndcg and map 1",
                                        .reduction = "mean over lists by their weights",
                                        .cutoff = "metrics at 1 to 5",
                                        .logarithm = "natural",
                                        .temperature = "1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// ndcg@k; label_gain is passed as a gain_table. In LightGBM a list without relevance adds 1 to the weighted
/// sum, whatever its weight.
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(std::size_t k,
                                                                    std::span<const double> label_gain = {}) {
  return {.metric = {.gain = label_gain.empty() ? gain::exponential : gain::table,
                     .gain_table = label_gain,
                     .cutoff = k},
          .otherwise = 1.0};
}
/// map@k; divides by min(k, number of relevant items). Items are relevant there if y > 1/2, here if y > 0.
[[nodiscard]] constexpr value_without_relevance<metrics::average_precision> map(std::size_t k) {
  return {.metric = {.cutoff = k, .over = metrics::average_precision_over::attainable}, .otherwise = 1.0};
}

}  // namespace lightgbm

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
