// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The rank that each of several equal scores gets.
enum class rank_ties {
  average,  ///< the mean of their ranks, which may be a half number
  minimum,  ///< the first of their ranks, as in competitions
  maximum,  ///< the last of their ranks
  ordinal,  ///< different ranks, in the order of the items
};
[[nodiscard]] constexpr std::array<std::string_view, 4> enumerators(rank_ties) noexcept {
  return {"average", "minimum", "maximum", "ordinal"};
}

/// hard_ranks: the ranks of the scores.
///
///     rank_i = base + #{j: s_j > s_i}        descending; s_j < s_i when ascending; equal scores by `ties`
///
/// - Time O(n) after the sort, scratch O(n); exact. Average ranks sum to n (n - 1) / 2 + n base.
/// - Piecewise constant: there are values only, no derivatives.
/// - Edge cases: infinite scores rank first or last. Equal infinities are tied, also with the largest finite
///   number of their type.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct hard_ranks {
  sort_direction direction = sort_direction::descending;  ///< which score has the first rank
  double base = 1.0;                                      ///< rank of the first: 1, 0 or any finite number
  rank_ties ties = rank_ties::average;                    ///< which rank equal scores get

  static constexpr bool has_gradient = false;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("direction", self.direction, options::choice<sort_direction>{});
    visit("base", self.base, options::any_finite);
    visit("ties", self.ties, options::choice<rank_ties>{});
  }

  /// Ranks of one list; see soft_ranks.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/ranks/hard_ranks.hpp>
#endif
