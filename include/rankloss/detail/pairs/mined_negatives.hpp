// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/pairs/triplet_sides.hpp>
#include <rankloss/detail/pairs/triplet_terms.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

/// Triplets in which each positive has one negative. Negatives of equal score are one, and share its slope.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Each positive against the hardest negative.
template <class Term>
[[nodiscard]] triplet_sums against_hardest(const triplet_shortfall& shortfall, const Term& term,
                                           triplet_sides& sides) {
  triplet_sums sums;
  triplet_side& negatives = sides.negatives;
  if (negatives.size() == 0) return sums;
  const double hardest = *std::max_element(negatives.scores.begin(), negatives.scores.end());
  double slope = 0.0;
  for (std::size_t k = 0; k < sides.positives.size(); ++k) {
    const triplet_cost<double> cost = term(shortfall(hardest, sides.positives.scores[k]));
    sums.value += cost.value;
    sums.active += Term::always_active || cost.slope > 0.0 ? 1.0 : 0.0;
    sides.positives.slopes[k] = -cost.slope;
    slope += cost.slope;
  }
  sums.triplets = static_cast<double>(sides.positives.size());
  const auto tied = std::count(negatives.scores.begin(), negatives.scores.end(), hardest);
  for (std::size_t k = 0; k < negatives.size(); ++k)
    if (negatives.scores[k] == hardest) negatives.slopes[k] = slope / static_cast<double>(tied);
  return sums;
}

/// Each positive against the hardest of the negatives below it.
/// @param or_easiest  whether a positive without such a negative has the easiest one of all, or no triplet
template <class Term>
[[nodiscard]] triplet_sums against_semi_hard(const triplet_shortfall& shortfall, const Term& term,
                                             bool or_easiest, triplet_sides& sides, workspace& scratch) {
  using record = keyed_item<key_of<double>>;
  triplet_sums sums;
  triplet_side& negatives = sides.negatives;
  const std::size_t n = negatives.size();
  if (n == 0) return sums;
  const workspace::scope scope(scratch);
  const std::span<const record> sorted = records_by_key<record>(n, scratch, [&](std::size_t k) {
    return record{descending_key(negatives.scores[k]), static_cast<std::uint32_t>(k)};
  });
  const auto score_at = [&](std::size_t at) { return negatives.scores[sorted[at].payload]; };
  // The first position of the run of negatives as easy as the easiest one.
  std::size_t easiest = n - 1;
  while (easiest > 0 && score_at(easiest - 1) == score_at(n - 1)) --easiest;

  const std::span<double> slopes = scratch.take<double>(n);  // of a run, at its first position
  std::fill(slopes.begin(), slopes.end(), 0.0);
  for (std::size_t k = 0; k < sides.positives.size(); ++k) {
    const double own = sides.positives.scores[k];
    const auto below = std::partition_point(
        sorted.begin(), sorted.end(), [&](const record& r) { return !(negatives.scores[r.payload] < own); });
    std::size_t at = static_cast<std::size_t>(below - sorted.begin());
    if (at == n) {
      if (!or_easiest) continue;
      at = easiest;
    }
    const triplet_cost<double> cost = term(shortfall(score_at(at), own));
    sums.value += cost.value;
    sums.triplets += 1.0;
    sums.active += Term::always_active || cost.slope > 0.0 ? 1.0 : 0.0;
    sides.positives.slopes[k] = -cost.slope;
    slopes[at] += cost.slope;
  }
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin + 1;
    while (end < n && score_at(end) == score_at(begin)) ++end;
    for (std::size_t at = begin; at < end; ++at)
      negatives.slopes[sorted[at].payload] = slopes[begin] / static_cast<double>(end - begin);
    begin = end;
  }
  return sums;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
