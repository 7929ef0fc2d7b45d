// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The pairs of wires that are compared, and their order.
enum class network {
  odd_even,  ///< neighbours, in n layers
  bitonic,   ///< Batcher's network, k (k + 1) / 2 layers for n <= 2^k
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(network) noexcept {
  return {"odd_even", "bitonic"};
}

/// How far a pair is in order: F(z) for the difference z of two wires in units of temperature, with F(-z) = 1
/// - F(z).
enum class comparator {
  logistic,      ///< 1 / (1 + exp(-z))
  logistic_phi,  ///< logistic of z / (|s_j - s_i| + 1e-10)^(1/4), not invariant under a common scale
  gaussian,      ///< the normal distribution function
  reciprocal,    ///< (1 + z / (2 + |z|)) / 2
  cauchy,        ///< 1/2 + atan(z) / pi
  optimal,       ///< 1/2 + z up to |z| = 1/4, beyond 1 - 1 / (16 z): the monotonic one of least error
};
[[nodiscard]] constexpr std::array<std::string_view, 6> enumerators(comparator) noexcept {
  return {"logistic", "logistic_phi", "gaussian", "reciprocal", "cauchy", "optimal"};
}

/// sorting_network: a differentiable sorting network, whose comparators partly exchange their two wires.
///
///     each layer, for each of its pairs of wires (a, b):   q = F((b - a) / temperature)
///                                                          a <- q a + (1 - q) b
///                                                          b <- (1 - q) a + q b
///
/// P is the product of the mixing matrices of the layers. Its row i is what wire i holds at the end. A common
/// scale of scores and temperature changes nothing, except with logistic_phi.
///
/// Petersen, Borgelt, Kuehne, Deussen: Differentiable Sorting Networks for Scalable Sorting and Ranking
/// Supervision, ICML 2021, arXiv 2105.04019; Monotonic Differentiable Sorting Networks, ICLR 2022, arXiv
/// 2203.09630, for the last three comparators. Their steepness is 1 / temperature, and they sort ascending.
/// For lists shorter than a bitonic network, its first wires are unused, as in the authors' code. Where the
/// used wires begin in the middle of a block that is sorted downwards (first with 11 items), this library
/// sorts that block upwards. The published network does not sort such lists at any steepness (first with 22
/// items).
///
/// - Time and scratch O(n) for each layer, recorded in the forward pass: O(n log^2 n) for bitonic, O(n^2) for
///   odd_even, for values, products with P and pullbacks. to_matrix takes O(n^2) for each layer, two rows for
///   each comparator. There is no sort.
/// - Exact to rounding in double. Only to_matrix works in the type of the scores: for float scores its
///   entries are within 1e-6.
/// - Rows and columns of P sum to 1. Invariant under shifts. Ascending order gives the rows of descending
///   order in reverse. Values and P depend on the order of the list; with the last three comparators the
///   sorted values are monotonic in the scores.
/// - Edge cases: equal scores mix evenly. As temperature -> 0 this is the exact sort of distinct scores.
///   Infinite scores count as the ends of the type's range.
/// @throws std::invalid_argument from the functions of sort.hpp when an option is out of its range.
struct sorting_network {
  double temperature = 0.1;                                        ///< 1e-15 to 1e300, in units of the scores
  rankloss::network network = rankloss::network::bitonic;          ///< which pairs are compared
  rankloss::comparator comparator = rankloss::comparator::cauchy;  ///< how far they are exchanged
  sort_direction direction = sort_direction::descending;           ///< which score is first

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("network", self.network, options::choice<rankloss::network>{});
    visit("comparator", self.comparator, options::choice<rankloss::comparator>{});
    visit("direction", self.direction, options::choice<sort_direction>{});
  }

  /// The permutation of one list; see soft_sort_operator. It also has the scores as the network returns them:
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
