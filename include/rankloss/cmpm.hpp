// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// What the matches of a query are divided by, so that they are the target of cmpm.
enum class match_norm {
  sum,   ///< their number, as in the paper: a distribution
  root,  ///< the root of their number, their Euclidean norm, as in published code
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(match_norm) noexcept {
  return {"sum", "root"};
}

/// cmpm: cross-modal projection matching, the Kullback-Leibler divergence of the softmax of the scores from
/// the matches of a query.
///
///     p               = softmax(s / temperature)
///     q_i             = 1 / P for the P positives, 0 for negatives       (1 / sqrt(P) with match_norm::root)
///     query(s)        = sum_i p_i log(p_i / (q_i + epsilon))
///     d(query)/d(s_i) = p_i (log(p_i / (q_i + epsilon)) - query) / temperature
///
/// Items of relevance > 0 are positives, all others negatives. The target stands in the second place, so that
/// probability of negatives costs most, some -log epsilon; cross entropies as softmax_cross_entropy have it
/// in the first place.
///
/// Zhang, Lu: Deep Cross-Modal Projection Learning for Image-Text Matching, ECCV 2018. Its scores are the
/// lengths of projections: rows x_i . y_j / |y_j|, and columns y_j . x_i / |x_i|. Those are two matrices, one
/// `over` the rows and one over the columns. On one matrix, whatever it holds, both directions take its
/// scores. Published code has no temperature, divides the matches by their norm, and adds the means of the
/// two directions, which is twice this mean. SDM, the similarity distribution matching of Jiang, Ye:
/// Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval, CVPR 2023, is
/// this loss of cosines with a temperature of 0.02, both directions added.
///
/// - Time O(n), one exponential an item; scratch O(n). Exponentials are relative to the largest score.
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding. Not convex.
/// - Item weights are not used.
/// - Edge cases: a query without positives has value 0. The value may be below 0, by no more than log(1 + n
///   epsilon) with match_norm::sum and log(sqrt(P) + n epsilon) with match_norm::root. Infinite scores count
///   as the largest finite number of the type.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct cmpm {
  double temperature = 1.0;                 ///< 1e-15 to 1e300, in units of the scores
  double epsilon = 1e-8;                    ///< 1e-300 to 1, what the target holds besides
  match_norm matches_by = match_norm::sum;  ///< what the matches are divided by
  directions over = directions::both;       ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("epsilon", self.epsilon, options::real{.least = 1e-300, .most = 1.0});
    visit("matches_by", self.matches_by, options::choice<match_norm>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/cmpm.hpp>
#endif
