// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/pairs/pair_scan.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/pairs/triplet_sides.hpp>
#include <rankloss/detail/pairs/triplet_terms.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The soft triplets of each positive with each negative, of many finite scores: the pairs of two levels of
/// relevance, with the negatives raised by the margin. Sums of pair_scan.hpp, in near-linear time.
/// @param logistic  log(1 + exp(-d)) as a function of pairs, as pair_scan takes it
template <class Arch, class Logistic>
[[nodiscard]] triplet_sums soft_in_sorted_order(const triplet_shortfall& shortfall, const Logistic& logistic,
                                                triplet_sides& sides, workspace& scratch) {
  using record = keyed_item<key_of<double>>;
  const workspace::scope scope(scratch);
  const std::size_t positives = sides.positives.size();
  const std::size_t n = positives + sides.negatives.size();
  // The difference of two scores has to be finite. They are taken relative to one of them, so that no margin
  // is lost to scores that are far from 0.
  constexpr double bound = std::numeric_limits<double>::max() / 8;
  const auto held = [bound](double score) { return std::clamp(score, -bound, bound); };
  const double centre = held(sides.positives.scores[0]);
  const std::span<const record> order = records_by_key<record>(n, scratch, [&](std::size_t k) {
    const double score =
        k < positives ? held(sides.positives.scores[k]) - centre
                      : opaque(held(sides.negatives.scores[k - positives]) - centre) + held(shortfall.margin);
    return record{descending_key(score), static_cast<std::uint32_t>(k)};
  });

  sorted_items<double, 1> items;
  items.n = items.counted = n;
  items.scores = scratch.take<double>(n);
  items.levels = scratch.take<std::uint32_t>(n);
  items.upper[0] = scratch.take<double>(n);
  items.lower[0] = scratch.take<double>(n);
  std::fill(items.upper[0].begin(), items.upper[0].end(), 1.0);
  std::fill(items.lower[0].begin(), items.lower[0].end(), 1.0);
  for (std::size_t at = 0; at < n; ++at) {
    items.scores[at] = value_of<double>(order[at].key);
    items.levels[at] = order[at].payload < positives ? 1 : 0;
  }
  const std::span<double> slopes = scratch.take<double>(n);
  std::fill(slopes.begin(), slopes.end(), 0.0);
  pair_scan<Arch, double, 1, false, false, false, false, Logistic> scan(logistic, 1.0, scratch);
  scan.run(items, 2, slopes);
  for (std::size_t at = 0; at < n; ++at) {
    const std::size_t k = order[at].payload;
    (k < positives ? sides.positives.slopes[k] : sides.negatives.slopes[k - positives]) = slopes[at];
  }
  const double count = static_cast<double>(positives) * static_cast<double>(n - positives);
  return {scan.totals().value, count, count};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
