// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// Which negatives a triplet loss uses.
enum class mining {
  hardest,  ///< only the negative with the highest score, as in VSE++
  all,      ///< every negative
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(mining) noexcept {
  return {"hardest", "all"};
}

/// triplet: a hinge loss between the matches and the non-matches of a query, over the rows and over the
/// columns of a similarity matrix.
///
///     query(s)  = mean over positives p of  max(0, margin - s_p + max_n s_n)            mining::hardest
///               = mean over positives p of  sum_n max(0, margin - s_p + s_n)
///                 mining::all, n over the negatives
///     loss(S)   = 1/2 mean_i query(row i) + 1/2 mean_j query(column j)
///
/// Under reduction::sum it is the sum over all rows and columns; `over` takes the rows or the columns alone.
/// The query of a list_batch is a list, whose relevant items are its positives. Faghri et al.: VSE++: Improving
/// Visual-Semantic Embeddings with Hard Negatives, BMVC 2018, arXiv 1707.05612, has both forms, as sums;
/// Li et al. 2023, arXiv 2305.16566, take the mean.
///
/// - Time for a query of n items: O(n) for the hardest negative, and for all negatives of one positive; O(n
///   min(P, log n)) for all negatives of P positives, O(n P) if scores are infinite. Scratch O(n). No array
///   of the size of the matrix is created.
/// - Invariant under shifts of all scores of a query. Convex and piecewise linear.
/// - A hinge between finite scores that is beyond 1e290 counts as 1e290.
/// - Edge cases: a query without positives or without negatives has value 0. Equally hard negatives share the
///   slope equally: each gets the mean of the slopes that each of them would have alone. At the kink of a
///   hinge the slope is 0. A negative of score -infinity counts as absent, so -infinity masks a pair. Other
///   infinities make a hinge 0 or infinite, as its limit; between a positive and a negative that are both
///   +infinity it is 0.
/// @throws std::invalid_argument from `evaluate` when the margin is out of its range, or when the matrix is
/// not square and no matches are given.
struct triplet {
  double margin = 0.2;                                ///< >= 0, in units of the similarities
  rankloss::mining mine = rankloss::mining::hardest;  ///< which negatives count
  directions over = directions::both;                 ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("margin", self.margin, options::at_least_0);
    visit("mine", self.mine, options::choice<mining>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/triplet.hpp>
#endif
