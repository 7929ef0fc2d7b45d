// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/score_runs.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// spearman: the correlation of the ranks of the scores with those of the relevance.
///
///     rho = sum_i a_i b_i / (|a| |b|),  a = ranks of s - their mean,  b = ranks of y - their mean
///
/// Spearman: The proof and measurement of association between two things, American Journal of Psychology 15
/// (1904). Equal scores and equal relevance share the rank in the middle. The corresponding loss is
/// `soft_spearman`: 1 - rho of soft ranks.
///
/// - Time O(n) after two radix sorts, scratch O(n). Sums are exact up to about 10^5 items. No gradient by
///   scores. Item weights are not used.
/// - In [-1, 1]; invariant under increasing maps of scores and of relevance; its sign changes with that of
///   the scores.
/// - Edge cases: the value is 0 if all scores or all relevances are equal, also for one item;
///   reduction::mean_of_relevant leaves out lists of equal relevance. Infinite scores rank first or last.
struct spearman {
  static constexpr bool has_gradient = false;
  static constexpr double best = 1.0;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<double> relevance = scratch.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) relevance[i] = static_cast<double>(items.relevance[i]);
    const std::span<double> a = scratch.take<double>(n);
    const std::span<double> b = scratch.take<double>(n);
    centred_ranks(items.scores, a, scratch);
    centred_ranks(strided<const double>(relevance.data(), n), b, scratch);
    double aa = 0.0;
    double ab = 0.0;
    double bb = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      aa += a[i] * a[i];
      ab += a[i] * b[i];
      bb += b[i] * b[i];
    }
    return aa > 0.0 && bb > 0.0 ? std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0) : 0.0;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    for (std::size_t i = 1; i < items.size(); ++i)
      if (static_cast<double>(items.relevance[i]) != static_cast<double>(items.relevance[0])) return true;
    return false;
  }

 private:
  /// Twice the average rank minus twice the mean: whole numbers.
  template <class T>
  static void centred_ranks(const strided<const T>& values, std::span<double> ranks, workspace& scratch) {
    const auto n = static_cast<double>(values.size());
    detail::for_each_run(values, values.size(), scratch, [&](const detail::score_run<T>& run) {
      for (const auto& item : run.items) ranks[item.payload] = static_cast<double>(run.begin + run.end) - n;
    });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
