// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// multi_similarity: soft sums over how far the positives of a query fall short of a base, and its negatives
/// exceed it.
///
///     query(s) = 1/alpha log(1 + sum_p exp(-alpha (s_p - base)))
///              + 1/beta  log(1 + sum_n exp(beta (s_n - base)))
///     d(query)/d(s_p) = - exp(-alpha (s_p - base)) / (1 + sum over positives)
///     d(query)/d(s_n) =   exp(beta (s_n - base)) / (1 + sum over negatives)
///
/// over positives p, items of relevance > 0, and negatives n, all others. With an epsilon below 1e300 only
/// the pairs that are hard count: positives with s_p < max_n s_n + epsilon and negatives with s_n > min_p s_p -
/// epsilon. Which these are is constant in the gradient; the value jumps where it changes.
///
/// Wang, Han, Huang, Dong, Scott: Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning,
/// CVPR 2019, arXiv 1904.06627; its experiments have epsilon = 0.1. pytorch-metric-learning's
/// MultiSimilarityLoss has the same defaults and takes epsilon from its MultiSimilarityMiner.
///
/// - Time O(n), one exponential an item; scratch O(n). Exponentials are relative to the greatest of their sum
///   and never overflow. Values keep their digits where all exponentials are small.
/// - Convex where every pair counts. Not invariant under shifts of the scores.
/// - Item weights are not used.
/// - Edge cases: without positives the sum over the negatives remains, and the other way round; with an
///   epsilon below 1e300 no pair is hard then, and the value is 0. Infinite scores count as the largest
///   finite number of the type, scores and exponents beyond 1e290 as that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct multi_similarity {
  double alpha = 2.0;                  ///< 1e-300 to 1e15, of the positives
  double beta = 50.0;                  ///< 1e-300 to 1e15, of the negatives
  double base = 0.5;                   ///< -1e100 to 1e100, a similarity
  double epsilon = 1e300;              ///< 0 to 1e300, which pairs are hard; 1e300: every pair counts
  directions over = directions::both;  ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    constexpr options::real sharpness{.least = 1e-300, .most = 1e15};
    visit("alpha", self.alpha, sharpness);
    visit("beta", self.beta, sharpness);
    visit("base", self.base, options::real{.least = -1e100, .most = 1e100});
    visit("epsilon", self.epsilon, options::real{.least = 0.0, .most = 1e300});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/multi_similarity.hpp>
#endif
