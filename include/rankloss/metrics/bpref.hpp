// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// bpref: how rarely items that are judged not relevant rank above the relevant ones. Items that are not
/// judged are ignored.
///
///     bpref = sum_{i relevant, with a rank} w_i (1 - min(a_i, R) / min(N, R)) / sum_{i relevant} w_i
///     a_i   = number of items judged not relevant that rank above i
///     R, N  = number of relevant items, of items judged not relevant, including missed ones;
///             the quotient is 0 if a_i is
///
/// Buckley, Voorhees: Retrieval evaluation with incomplete information, SIGIR 2004, computed as in trec_eval.
/// Items of relevance > 0 and weight > 0 are relevant, those of relevance 0 and weight > 0 are judged not
/// relevant, and those of relevance < 0 or weight 0 are not judged. Items of equal score are in random order;
/// the value is the expectation over it.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Between 0 and 1; it is 1 if all relevant items have a rank and rank above all items judged not relevant.
///   Weights may have any size; they are scaled and never overflow.
/// - Edge cases: a list without relevant items has value 0 and is left out by reduction::mean_of_relevant.
///   Infinite scores rank first or last.
struct bpref {
  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// The value from the first positions by score.
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> weights = scratch.take<double>(items.size_with_missed());
    detail::relevant_weights(items, true, weights);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (!(total > 0.0)) return 0.0;
    std::size_t relevant = 0;
    std::size_t others = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      relevant += detail::relevant(items, i) ? 1u : 0u;
      others += judged_not_relevant(items, i) ? 1u : 0u;
    }
    double sum = 0.0;
    std::size_t above = 0;
    first.for_each_run(items.size(), [&](const detail::score_run<T>& run) {
      double weight = 0.0;
      std::size_t tied = 0;
      for (const auto& item : run.items) {
        weight += weights[item.payload];
        tied += judged_not_relevant(items, item.payload) ? 1u : 0u;
      }
      const double most = static_cast<double>(std::min(others, relevant));
      sum += weight * (above + tied > 0 ? 1.0 - expected_above(above, tied, relevant) / most : 1.0);
      above += tied;
    });
    return sum / total;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_relevant(items);
  }

 private:
  template <class T, class R>
  static bool judged_not_relevant(const list<T, R>& items, std::size_t i) noexcept {
    return items.relevance[i] == R{0} && (items.weights.empty() || items.weights[i] > 0.0);
  }

  /// Mean of min(above + j, most) over j = 0 to tied; each number j of tied items ranks above a relevant item
  /// equally often.
  static double expected_above(std::size_t above, std::size_t tied, std::size_t most) noexcept {
    const auto all = static_cast<double>(tied + 1);
    const double fewer = above < most ? static_cast<double>(std::min(tied + 1, most - above))
                                      : 0.0;  // so many j are not cut off
    return (fewer * (static_cast<double>(above) + 0.5 * (fewer - 1.0)) +
            (all - fewer) * static_cast<double>(most)) /
           all;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
