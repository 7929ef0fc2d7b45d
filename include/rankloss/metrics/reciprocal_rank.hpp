// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/best_match.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// reciprocal_rank: one over the rank of the first relevant item; its mean over lists is the MRR.
///
///     RR@k = 1 / min {rank_i : i relevant},  or 0 if that rank is above k
///
/// Items of relevance > 0 and weight > 0 are relevant; other weights have no effect. Items of equal score are
/// in random order; the value is the expectation over it.
///
/// - Time O(n), no scratch. No gradient by scores.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct reciprocal_rank {
  std::size_t cutoff = 0;  ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;
  static constexpr bool compares_ranks = true;  ///< of_ranks: whether two ranks are equal

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const noexcept {
    const detail::best_match found = detail::find_best_match(items);
    const std::size_t k = cutoff == 0 ? items.size() : cutoff;
    double sum = 0.0;
    // The first match is at position p of the run with probability C(tied - p, matching - 1) / C(tied,
    // matching).
    double probability =
        found.matching > 0 ? static_cast<double>(found.matching) / static_cast<double>(found.tied) : 0.0;
    for (std::size_t p = 1; found.above + p <= k && probability > 0.0; ++p) {
      sum += probability / static_cast<double>(found.above + p);
      probability = p < found.tied ? probability * static_cast<double>(found.tied - found.matching - p + 1) /
                                         static_cast<double>(found.tied - p)
                                   : 0.0;
    }
    return sum;
  }

  /// As a function of real ranks >= 1:
  ///
  ///     RR@k       = cut(rank) / rank of the relevant item with the least rank
  ///     by_rank[i] = its derivative for that item, shared equally by items of least rank   [n] or empty
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric; where the least rank passes from one item to another it has a kink.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace&) const noexcept {
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    double least = std::numeric_limits<double>::max();
    double sharing = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!detail::relevant(items, i) || ranks[i] > least) continue;
      sharing = ranks[i] < least ? 1.0 : sharing + 1.0;
      least = ranks[i];
    }
    if (sharing == 0.0) return 0.0;
    const detail::rank_term term = detail::reciprocal_term(least, 1.0, cutoff);
    for (std::size_t i = 0; i < by_rank.size(); ++i)
      if (detail::relevant(items, i) && ranks[i] == least) by_rank[i] = term.slope / sharing;
    return term.value;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
