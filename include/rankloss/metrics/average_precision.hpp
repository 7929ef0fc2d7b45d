// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// The divisor of the sum of precisions at the relevant items.
enum class average_precision_over {
  relevant,    ///< the number of all relevant items, as in Rax, TF-Ranking, XGBoost and trec_eval
  attainable,  ///< min(k, relevant items), with which a best order has value 1
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(average_precision_over) noexcept {
  return {"relevant", "attainable"};
}

/// average_precision: the mean, over the relevant items, of the precision at the rank of each.
///
///     AP@k = sum_{i relevant, rank_i <= k} w_i c_i / rank_i / sum_{i relevant} w_i
///     c_i  = number of relevant items at ranks 1 to rank_i
///
/// Items of relevance > 0 and weight > 0 are relevant. Weights apply to the mean; precisions count items.
/// With average_precision_over::attainable and weights, the divisor is the sum of the k largest weights.
/// Items of equal score are in random order, and the value is the expectation over it: McSherry, Najork:
/// Computing information retrieval performance measures efficiently in the presence of tied scores, ECIR
/// 2008. of_ranks is the function of ranks of Brown et al.: Smooth-AP, ECCV 2020, arXiv 2007.12163, eq. 5.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct average_precision {
  std::size_t cutoff = 0;                                          ///< k; 0: the whole list
  average_precision_over over = average_precision_over::relevant;  ///< the normaliser

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;
  static constexpr bool needs_relevant_ranks = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoff", self.cutoff, options::cutoff);
    visit("over", self.over, options::choice<average_precision_over>{});
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// The value from the first positions by score.
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t k = detail::counted_by(cutoff, items.size());
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    const double total = share_of(items, weights, scratch);
    if (!(total > 0.0)) return 0.0;
    double sum = 0.0;
    std::size_t above = 0;
    first.for_each_run(k, [&](const detail::score_run<T>& run) {
      std::size_t relevant = 0;
      double weight = 0.0;
      for (const auto& item : run.items) {
        relevant += detail::relevant(items, item.payload) ? 1u : 0u;
        weight += weights[item.payload];
      }
      if (relevant > 0) {
        // A relevant item is equally often at each position of the run, and then each position before it
        // holds another relevant item with this probability.
        const double others = static_cast<double>(run.items.size() - 1);
        const double density = others > 0.0 ? static_cast<double>(relevant - 1) / others : 0.0;
        double precisions = 0.0;
        for (std::size_t p = run.begin; p < std::min(run.end, k); ++p)
          precisions += (static_cast<double>(above + 1) + density * static_cast<double>(p - run.begin)) /
                        static_cast<double>(p + 1);
        sum += weight * precisions / static_cast<double>(run.items.size());
      }
      above += relevant;
    });
    return sum / total;
  }

  /// As a function of real ranks >= 1 among all items and of ranks among the relevant items; the latter are
  /// read for relevant items only:
  ///
  ///     AP@k                      = sum_{i relevant} w_i cut(rank_i) relevant_rank_i / rank_i
  ///                                 / sum_{i relevant} w_i
  ///     by_rank[i]                = d(AP@k) / d(rank_i)             [n] or empty: not wanted
  ///     by_relevant_rank[i]       = d(AP@k) / d(relevant_rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, std::span<const double> relevant_ranks,
                  const list<T, R>& items, std::span<double> by_rank, std::span<double> by_relevant_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    const double total = share_of(items, weights, scratch);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    std::fill(by_relevant_rank.begin(), by_relevant_rank.end(), 0.0);
    // The relevant items, listed without an unpredictable branch.
    const std::span<std::size_t> which = scratch.take<std::size_t>(items.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      which[count] = i;
      count += weights[i] > 0.0 ? 1u : 0u;
    }
    double sum = 0.0;
    for (const std::size_t i : which.first(count)) {
      const detail::rank_term term = detail::reciprocal_term(ranks[i], weights[i] / total, cutoff);
      sum += relevant_ranks[i] * term.value;
      if (!by_rank.empty()) by_rank[i] = relevant_ranks[i] * term.slope;
      if (!by_relevant_rank.empty()) by_relevant_rank[i] = term.value;
    }
    return sum;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  /// Writes the weights of the relevant items, and 0 for the others; returns the divisor.
  template <class T, class R>
  double share_of(const list<T, R>& items, std::span<double> weights, workspace& scratch) const {
    detail::relevant_weights(items, true, weights);
    std::span<double> counted = weights;
    const workspace::scope scope(scratch);
    if (over == average_precision_over::attainable && cutoff > 0 && cutoff < weights.size()) {
      counted = scratch.take<double>(weights.size());
      std::copy(weights.begin(), weights.end(), counted.begin());
      std::nth_element(counted.begin(), counted.begin() + static_cast<std::ptrdiff_t>(cutoff), counted.end(),
                       std::greater<>{});
      counted = counted.first(cutoff);
    }
    double total = 0.0;
    for (const double w : counted) total += w;
    return total;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
