// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/pairs/concordance.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// The divisor of the difference of concordant and discordant pairs.
enum class tau {
  a,  ///< all pairs; below 1 if there are ties
  b,  ///< geometric mean of the pairs that scores and that relevance order; 1 if both have the same ties
  c,  ///< the largest possible difference if one of the two has m values
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(tau) noexcept { return {"a", "b", "c"}; }

/// kendall_tau: the correlation of the order by scores with the order by relevance, by their pairs.
///
///     P, Q    = sum of w_i w_j over pairs that both order in the same way, that they order in opposite ways
///     X, Y    = the same over pairs of different scores, of different relevance
///     tau-a   = (P - Q) / sum_{i < j} w_i w_j
///     tau-b   = (P - Q) / sqrt(X Y)
///     tau-c   = 2 m (P - Q) / ((m - 1) (sum_i w_i)^2),  m = min(distinct scores, distinct relevances)
///
/// Kendall: The treatment of ties in ranking problems, Biometrika 33 (1945); tau-c: Stuart, Biometrika 40
/// (1953). Counted by merging: Knight, Journal of the American Statistical Association 61 (1966). The weights
/// of items are an addition of this library; items of weight 0 take no part. tau-c can reach 1 also if scores
/// and grades have different numbers of values.
///
/// - Time O(n log n), scratch O(n). Without weights every count is exact up to 2^53 pairs. No gradient by
///   scores.
/// - In [-1, 1]; invariant under increasing maps of scores and of relevance; its sign changes with that of
///   the scores.
/// - Edge cases: the value is 0 if all scores or all relevances are equal, also for one item;
///   reduction::mean_of_relevant leaves out lists of equal relevance. Infinite scores rank first or last.
struct kendall_tau {
  tau variant = tau::b;  ///< what the difference is divided by

  static constexpr bool has_gradient = false;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("variant", self.variant, options::choice<tau>{});
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const detail::concordance counts = detail::count_concordance(items, true, scratch);
    const double ordered = counts.concordant + counts.discordant;
    if (!(ordered > 0.0)) return 0.0;
    double most = 0.0;
    if (variant == tau::a) {
      most = ordered + counts.tied_scores + counts.tied_relevance + counts.tied_both;
    } else if (variant == tau::b) {
      most = std::sqrt((ordered + counts.tied_relevance) * (ordered + counts.tied_scores));
    } else {
      const auto m = static_cast<double>(std::min(counts.scores, counts.grades));
      double greatest = 1.0;
      double mass = static_cast<double>(items.size());
      if (!items.weights.empty()) {
        greatest = mass = 0.0;
        for (std::size_t i = 0; i < items.size(); ++i) greatest = std::max(greatest, items.weights[i]);
        for (std::size_t i = 0; i < items.size(); ++i) mass += items.weights[i] / greatest;
      }
      most = mass * mass * (m - 1.0) / (2.0 * m);
    }
    return std::clamp((counts.concordant - counts.discordant) / most, -1.0, 1.0);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::has_ordered_pair(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
