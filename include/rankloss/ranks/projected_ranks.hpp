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

/// By which distance a projection onto the permutahedron is nearest.
enum class regularization {
  quadratic,  ///< half the squared Euclidean distance
  entropic,   ///< the Kullback-Leibler divergence
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(regularization) noexcept {
  return {"quadratic", "entropic"};
}

/// projected_ranks: soft ranks by projecting the scores onto the permutahedron, the convex hull of all
/// orders of the ranks 1..n.
///
///     z                   = -s / temperature descending, s / temperature ascending
///     quadratic: ranks    = argmin |r - z|^2 / 2
///     entropic:  ranks    = argmin sum_i r_i (log r_i - z_i) - r_i
///
/// over the permutahedron. By isotonic regression items fall into blocks, and in the block of item i
///
///     quadratic: rank_i   = mean of the block's ranks + z_i - mean of the block's z
///     entropic:  rank_i   = sum of the block's ranks * p_i,  p = softmax of its z
///     d(rank_i) / d(z_j)  = [i = j] - 1 / block's size;  rank_i ([i = j] - p_j);  0 outside of the block
///
/// Blondel, Teboul, Berthet, Djolonga: Fast differentiable sorting and ranking, ICML 2020, arXiv 2002.08871;
/// soft_rank of fast-soft-sort and torchsort, where temperature is called epsilon and the default order is
/// ascending.
///
/// - Exact to rounding. Time O(n) after the sort for values and for a product with the Jacobian; scratch
///   O(n). Entropic sums are relative to the largest term of each block, so scores may have any spread.
/// - Invariant under shifts. The Jacobian is symmetric, and a gradient sums to 0 up to rounding. Ranks sum to
///   n (n - 1) / 2 + n base. Quadratic ascending ranks are n - 1 + 2 base minus the descending ones; this
///   does not hold for entropic ranks.
/// - Piecewise linear (quadratic) or smooth (entropic) while the blocks do not change. Two blocks that just
///   meet count as separate, and have the derivatives of separate blocks. Equal scores are in one block.
/// - Edge cases: equal scores have equal ranks. Scores that are much further apart than the temperature have
///   hard ranks and no gradient, and so have infinite scores.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct projected_ranks {
  double temperature = 1.0;                               ///< 1e-15 to 1e300, in units of the scores
  sort_direction direction = sort_direction::descending;  ///< which score has the first rank
  double base = 1.0;  ///< rank of the first; ranks are shifted after the projection
  rankloss::regularization regularization =
      rankloss::regularization::quadratic;  ///< the distance that is least

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("direction", self.direction, options::choice<sort_direction>{});
    visit("base", self.base, options::any_finite);
    visit("regularization", self.regularization, options::choice<rankloss::regularization>{});
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
#include <rankloss/cpu/ranks/projected_ranks.hpp>
#endif
