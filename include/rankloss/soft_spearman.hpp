// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// soft_spearman: one minus Spearman's correlation of the soft ranks of the scores with the ranks of the
/// relevance.
///
///     loss             = 1 - rho,  rho = sum_i a_i b_i / (|a| |b|),  a = ranks(s) - mean,
///                        b = average ranks of y - mean
///     d(loss)/d(rank)  = (rho a / |a| - b / |b|) / |a|
///
/// Spearman: The proof and measurement of association between two things, American Journal of Psychology 15
/// (1904), with the ranks of Blondel et al.: Fast differentiable sorting and ranking, ICML 2020, arXiv
/// 2002.08871. Items of equal relevance share the rank in the middle.
///
/// - Time and scratch are those of the ranks and of one sort. Values are in [0, 2]. Item weights are not
///   used.
/// - At temperatures far above the spread of the scores, digits are lost, because the loss divides by the
///   spread of the ranks (docs/numerics.md).
/// - Edge cases: a list whose relevance is all equal (also a list of one item, or of none) has loss 0 and
///   gradient 0. A list whose soft ranks are all equal has loss 1 and gradient 0.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
template <class Ranks = sigmoid_ranks>
struct soft_spearman {
  Ranks ranks{};

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("ranks", self.ranks, options::inner{});
  }
  void validate() const {
    detail::require(ranks.direction == sort_direction::descending,
                    "ranks: ascending, expected descending, as those of the relevance are");
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/soft_spearman.hpp>
#endif
