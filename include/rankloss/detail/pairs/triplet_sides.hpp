// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The positives or the negatives of a query. Whoever sums over its triplets adds to the slopes.
struct triplet_side {
  std::span<double> scores;
  std::span<double> slopes;
  std::span<std::uint32_t> items;  // which item of the list each is

  [[nodiscard]] std::size_t size() const noexcept { return scores.size(); }

  void add(double score, std::size_t item) noexcept {
    const std::size_t k = size();
    scores = {scores.data(), k + 1};
    slopes = {slopes.data(), k + 1};
    items = {items.data(), k + 1};
    scores[k] = score;
    slopes[k] = 0.0;
    items[k] = static_cast<std::uint32_t>(item);
  }

  /// Keeps those of one score.
  void keep_only(double score) noexcept {
    std::size_t kept = 0;
    for (std::size_t k = 0; k < size(); ++k)
      if (scores[k] == score) {
        scores[kept] = scores[k];
        items[kept++] = items[k];
      }
    scores = scores.first(kept);
    slopes = slopes.first(kept);
    items = items.first(kept);
  }

  [[nodiscard]] static triplet_side for_up_to(std::size_t n, workspace& scratch) {
    return {scratch.take<double>(n).first(0), scratch.take<double>(n).first(0),
            scratch.take<std::uint32_t>(n).first(0)};
  }
};

/// A query as what its triplets are made of. Negatives of -infinity are absent.
struct triplet_sides {
  triplet_side positives, negatives;
  bool finite = true;  // whether all scores are

  /// @param score_of  score_of(s): what the scores of the items are replaced by, rising in s
  template <class T, class R, class ScoreOf>
  triplet_sides(const list<T, R>& items, const ScoreOf& score_of, workspace& scratch)
      : positives(triplet_side::for_up_to(items.size(), scratch)),
        negatives(triplet_side::for_up_to(items.size(), scratch)) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bool positive = items.relevance[i] > R{0};
      if (!positive && is_minus_infinity(items.scores[i])) continue;
      const double score = score_of(items.scores[i]);
      finite = finite && is_finite(score);
      (positive ? positives : negatives).add(score, i);
    }
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
