// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {

/// Which pairs of wires are compared, in which order.
enum class network {
  odd_even,  ///< neighbours, n layers
  bitonic,   ///< Batcher's, k (k + 1) / 2 layers for n <= 2^k
};

/// How much of a pair is in order, F(z) for the difference z of two wires in units of temperature; F(-z) = 1 - F(z).
enum class comparator {
  logistic,      ///< 1 / (1 + exp(-z))
  logistic_phi,  ///< the logistic of z / (|s_j - s_i| + 1e-10)^(1/4): not invariant under a common scale of scores and temperature
  gaussian,      ///< the normal distribution's
  reciprocal,    ///< (1 + z / (2 + |z|)) / 2
  cauchy,        ///< 1/2 + atan(z) / pi
  optimal,       ///< 1/2 + z up to |z| = 1/4, beyond 1 - 1 / (16 z): the least error of all that are monotonic
};

/// sorting_network: a differentiable sorting network, whose comparators exchange their two wires in part.
///
///     each layer, each of its pairs of wires (a, b):   q = F((b - a) / temperature)
///                                                      a <- q a + (1 - q) b
///                                                      b <- (1 - q) a + q b
///
/// P is the product of the layers' mixing matrices, its row i what is on the i-th wire in the end.
///
/// Petersen, Borgelt, Kuehne, Deussen: Differentiable Sorting Networks for Scalable Sorting and Ranking Supervision, ICML 2021,
/// arXiv 2105.04019; Monotonic Differentiable Sorting Networks, ICLR 2022, arXiv 2203.09630, for the last three comparators. Their
/// steepness is 1 / temperature, and they sort ascending. Lists shorter than a bitonic network leave its first wires unused, as in the
/// authors' code; where these begin in the middle of a block that is sorted downwards (first with 11 items), that block is sorted upwards here:
/// as published, the network does not sort, however steep (first with 22 items).
///
/// - Time and scratch O(n) a layer, recorded in the forward pass: O(n log^2 n) bitonic, O(n^2) odd_even, for values, products with P and
///   pullbacks; to_matrix O(n^2) a layer, two rows a comparator. There is no sort.
/// - Exact to rounding, of double in all but to_matrix, which works in the type of the scores: of float scores its entries are within 1e-6.
/// - Rows and columns of P sum to 1. Invariant under shifts. Ascending order gives the same rows as descending, the last first. Values and P
///   depend on the order of the list; with the last three comparators the sorted values are monotonic in the scores.
/// - Edge cases: equal scores mix evenly. As temperature -> 0 this is the exact sort of distinct scores. Infinite scores are at the ends of the
///   type's range.
/// @throws std::invalid_argument from the verbs of sort.hpp when an option is out of its range.
struct sorting_network {
  double temperature = 0.1;                                        ///< 1e-15 to 1e300, in units of the scores
  rankloss::network network = rankloss::network::bitonic;          ///< which pairs are compared
  rankloss::comparator comparator = rankloss::comparator::cauchy;  ///< how they are exchanged
  rank_order order = rank_order::descending;                       ///< which score is first

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }

  /// The permutation of one list; see soft_sort_operator. And the scores as the network leaves them:
  ///
  ///     values()                       [n] P(scores) scores
  ///     pullback(cotangent, gradient)  gradient_k = d(sum_i cotangent_i values_i) / d(s_k)
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/sorting_network.hpp>
#endif
