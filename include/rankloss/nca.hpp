// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// nca: neighbourhood components analysis, minus the logarithm of the probability that a query, which chooses
/// a neighbour by a softmax of distances, chooses a positive.
///
///     p_i      = exp(-scale d(s_i)) / sum_j exp(-scale d(s_j))
///     query(s) = - log sum_p p_p,  over positives p
///     d(query)/d(s_i) = - scale d'(s_i) (p_i - [i is a positive] p_i / sum_p p_p)
///
/// Items of relevance > 0 are positives, all others negatives. d is a `distance` of cosines.
///
/// Goldberger, Roweis, Hinton, Salakhutdinov: Neighbourhood Components Analysis, NIPS 2004, maximise the sum
/// of the probabilities or, as here, of their logarithms. pytorch-metric-learning's NCALoss is this one with
/// the same defaults; it takes the mean over the queries whose probability does not round to 0. Use
/// reduction::mean_of_relevant for the mean over the queries with a positive: no probability rounds to 0
/// here.
///
/// - Time O(n), one exponential an item; scratch O(n). Exponentials are relative to the greatest of their sum
///   and never overflow. The value is log(1 + sum of the negatives / sum of the positives), and keeps its
///   digits where that is small.
/// - Invariant under shifts of the scores, and the gradient sums to 0, unless the distance is Euclidean.
/// - Item weights are not used.
/// - Edge cases: a query without positives or without negatives has value 0. The slope of a Euclidean
///   distance of 0 is 0. Infinite scores count as the largest finite number of the type; scores, exponents
///   and values beyond 1e290 as that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct nca {
  double scale = 1.0;                                                   ///< 1e-300 to 1e15, of the distances
  rankloss::distance distance = rankloss::distance::squared_euclidean;  ///< d
  directions over = directions::both;  ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("scale", self.scale, options::real{.least = 1e-300, .most = 1e15});
    visit("distance", self.distance, options::choice<rankloss::distance>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/nca.hpp>
#endif
