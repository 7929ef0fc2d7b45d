// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/options.hpp>
#include <rankloss/preference_batch.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// margin_ranking: a hinge on the reward difference of a pair.
///
///     loss         = max(0, m - (r_preferred - r_other)),  m = margin + margin of the pair
///     d(loss)/d(r) = -1 for the preferred item, 1 for the other, while the loss is above 0; else 0
///
/// Herbrich, Graepel, Obermayer: Large margin rank boundaries for ordinal regression, 2000. It is the loss of
/// LR2PPO's reward model: Guo et al., arXiv 2407.13221, whose ranking loss of lists of two items is this loss
/// with reduction::mean_of_relevant, the mean over the pairs whose loss is above 0.
///
/// - Time O(1) for each pair. Convex; invariant under shifts of all rewards; the gradient sums to 0 up to
///   rounding. At the kink the slope is 0.
/// - Losses beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct margin_ranking {
  double margin = 1.0;  ///< any finite number, in units of the rewards

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("margin", self.margin, options::any_finite);
  }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term operator()(double preferred, double other,
                                                                double own_margin) const noexcept {
    const double gap = detail::lesser(margin + own_margin - (preferred - other), detail::largest_term);
    if (!(gap > 0.0)) return {};
    return {gap, -1.0, 1.0, 0.0, 0.0};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/margin_ranking.hpp>
#endif
