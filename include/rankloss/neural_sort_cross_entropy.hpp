// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sorts/neural_sort.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// neural_sort_cross_entropy: the cross entropy between the soft permutations that sort the relevance and the
/// scores.
///
///     loss = - 1/n sum_ij Q_ij log P_ij,   P = NeuralSort(s / temperature),
///            Q = NeuralSort(y / relevance_temperature)
///
/// Grover et al.: Stochastic optimization of sorting networks via continuous relaxations, ICLR 2019, arXiv
/// 1903.08850; with both permutations soft, as in TensorFlow Ranking. The logarithm is that of the softmax
/// itself, not of a clamped probability.
///
/// - The logits are linear in the row number, so only the column sums of Q and their first moments are
///   needed: two bands, neither of them stored. Time O(n log n + bands), scratch O(n).
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding. The loss is at least the
///   entropy of Q.
/// - Item weights are not used. Infinite scores count as the largest finite number of the type and have a
///   gradient like it. A loss beyond the largest double is set to it.
/// - Edge cases: an empty list has loss 0. Items of equal relevance share their rows equally; in a list of
///   equal relevance the gradient pulls all scores together. Scores far apart give losses as large as their
///   distance in temperatures.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct neural_sort_cross_entropy {
  double temperature = 1.0;            ///< of the scores, 1e-15 to 1e300
  double relevance_temperature = 1.0;  ///< of the relevance, 1e-15 to 1e300

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("relevance_temperature", self.relevance_temperature, options::temperature);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/neural_sort_cross_entropy.hpp>
#endif
