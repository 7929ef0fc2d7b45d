// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// Which negatives a triplet loss looks at.
enum class mining {
  hardest,  ///< the negative with the highest score alone, as in VSE++
  all,      ///< every negative
};

/// triplet: hinge loss between what matches a query and what does not, over the rows and over the columns of a similarity matrix.
///
///     query(s)  = mean over positives p of  max(0, margin - s_p + max_n s_n)            mining::hardest
///               = mean over positives p of  sum_n max(0, margin - s_p + s_n)            mining::all, n over the negatives
///     loss(S)   = 1/2 mean_i query(row i) + 1/2 mean_j query(column j)
///
/// Under reduction::sum it is the sum over all rows and columns. Faghri et al.: VSE++: Improving Visual-Semantic Embeddings with Hard
/// Negatives, BMVC 2018, arXiv 1707.05612, has both forms, as sums; Zhang et al. 2023, arXiv 2305.16566, take the mean.
///
/// - Time O(n) a query of n items for the hardest negative, and for all negatives of one positive; for all negatives of P positives
///   O(n min(P, log n)), with infinite scores O(n P). Scratch O(n). Nothing of the matrix's size is made.
/// - Invariant under shifts of all scores of a query. Convex and piecewise linear.
/// - A hinge between finite scores that is beyond 1e290 counts as that.
/// - Edge cases: a query without positives or without negatives has value 0. Equally hard negatives share the slope
///   of the hardest equally, the mean of what each alone would have. At the kink of a hinge the slope is 0. A negative of score -infinity counts as
///   absent, which masks a pair; other infinities make a hinge 0 or infinite as the limit says, and 0 between a positive and a negative that are both
///   +infinity.
/// @throws std::invalid_argument from `evaluate` when the margin is out of range, or when the matrix is not square and no matches are given.
struct triplet {
  double margin = 0.2;                                ///< >= 0, in units of the similarities
  rankloss::mining mine = rankloss::mining::hardest;  ///< which negatives count

  void validate() const { detail::require(detail::is_finite(margin) && margin >= 0.0, "margin: ", margin, ", expected a finite number >= 0"); }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/triplet.hpp>
#endif
