// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/gain.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sorts/sinkhorn.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// neural_ndcg: smooth NDCG, one minus the NDCG of gains sorted by NeuralSort.
///
///     P     = Sinkhorn(NeuralSort(s / temperature))         row i: where the i-th largest score is
///     DCG   = sum_{i <= k} (P g)_i / log2(1 + i),  g_j = w_j G(y_j)
///     loss  = 1 - DCG / ideal DCG@k
///
/// Pobrotyn, Bialobrzeski: NeuralNDCG: Direct optimisation of a ranking metric via differentiable relaxation
/// of sorting, 2021, arXiv 2102.07831. With `steps` = 0 it is the loss of Swezey et al.: PiRank, NeurIPS
/// 2021, arXiv 2012.06731, without its deep sorting. The paper's transposed form is the same number, sum_j
/// g_j (P' d)_j with d the discounts, and needs no option; its stochastic form is stochastic<neural_ndcg>.
///
/// - Computed on the band of neural_sort: time O(steps * band), scratch O(band + steps taken * n). Without
///   steps the band is not stored, and scratch is O(n). Lists of up to 256 items are computed several at
///   once, one in each SIMD lane. Each list stops scaling by itself, not with its batch: when all its column
///   sums are within `tolerance` of 1, or after `steps` steps.
/// - Invariant under shifts; the gradient of a list sums to 0 up to rounding. As temperature -> 0 this is 1 -
///   NDCG@k.
/// - The unrolled derivative is that of the steps taken. It converges later than the column sums by which a
///   list stops: on a list of equal gaps it was seen 2 % from its limit. The implicit derivative is the limit
///   itself; its error is of the size of the scaling's error or smaller (docs/numerics.md).
/// - Edge cases: a list without positive ideal DCG has loss 0 and gradient 0. Equal scores share their
///   rows of P. Infinite scores count as the largest finite number of the type. If all scores are equal, the
///   band is the whole matrix, which is the slowest case.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct neural_ndcg {
  double temperature = 1.0;                           ///< 1e-15 to 1e300, in units of the scores
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                ///< k of NDCG@k; 0: the whole list
  std::size_t steps = 50;                ///< of Sinkhorn's scaling, at most, 0 (none) to 1e6
  double tolerance = 1e-6;               ///< 0 to 1: of the column sums from 1
  sinkhorn_derivative derivative = sinkhorn_derivative::unrolled;  ///< how the scaling is differentiated

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("steps", self.steps, sinkhorn::step_counts);
    visit("tolerance", self.tolerance, options::share);
    visit("derivative", self.derivative, options::choice<sinkhorn_derivative>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  /// Whether the list counts in reduction::mean_of_relevant: any item has a gain above 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/neural_ndcg.hpp>
#endif
