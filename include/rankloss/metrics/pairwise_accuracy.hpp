// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/pairs/concordance.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// How a pair of equal scores and different relevance counts.
enum class tied_pairs {
  half,      ///< 1/2: the expectation over the random order of equal scores
  wrong,     ///< 0, as in Rax and TF-Ranking
  left_out,  ///< it does not count as a pair
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(tied_pairs) noexcept {
  return {"half", "wrong", "left_out"};
}

/// pairwise_accuracy: the share of the pairs of different relevance that the scores put in the right order.
///
///     accuracy = sum_{i, j: y_i > y_j} w_i [s_i > s_j] / sum_{i, j: y_i > y_j} w_i
///
/// `ties` says how equal scores count. For grades 0 and 1, and with ties counted half, this is the area under
/// the ROC curve. As in the pair losses, the weight of a pair is that of its more relevant item.
///
/// - Time O(n log n), scratch O(n). Without weights every count is exact. No gradient by scores.
/// - Invariant under increasing maps of scores and of relevance. With the signs of the scores reversed it is
///   1 - accuracy, if ties count half.
/// - Edge cases: a list without pairs has value 0 and is left out by reduction::mean_of_relevant. Infinite
///   scores rank first or last.
struct pairwise_accuracy {
  tied_pairs ties = tied_pairs::half;  ///< how equal scores count

  static constexpr bool has_gradient = false;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("ties", self.ties, options::choice<tied_pairs>{});
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const detail::concordance counts = detail::count_concordance(items, false, scratch);
    const double right = counts.concordant + (ties == tied_pairs::half ? 0.5 * counts.tied_scores : 0.0);
    const double all =
        counts.concordant + counts.discordant + (ties == tied_pairs::left_out ? 0.0 : counts.tied_scores);
    return all > 0.0 ? right / all : 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::has_ordered_pair(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
