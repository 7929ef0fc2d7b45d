// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// What a pair of the contrastive loss costs by how far it is on the wrong side of its margin, h.
enum class contrastive_form {
  hinge,        ///< h
  half_square,  ///< h^2 / 2, as in the paper
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(contrastive_form) noexcept {
  return {"hinge", "half_square"};
}

/// What the sums over the positives and over the negatives of a query are each divided by.
enum class contrastive_average {
  all,     ///< the number of positives, or of negatives
  active,  ///< the number of those that cost more than 0
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(contrastive_average) noexcept {
  return {"all", "active"};
}

/// contrastive: pulls the positives of a query to within a margin and pushes its negatives beyond another
/// one.
///
///     h_p      = max(0, d(s_p) - positive_margin),  h_n = max(0, negative_margin - d(s_n))
///     query(s) = 1/Z_p sum_p f(h_p) + 1/Z_n sum_n f(h_n)
///     d(query)/d(s_p) = f'(h_p) d'(s_p) / Z_p,  d(query)/d(s_n) = - f'(h_n) d'(s_n) / Z_n
///
/// over positives p, items of relevance > 0, and negatives n, all others. d is a `distance` of cosines, f the
/// `form` and Z the `average`. With contrastive_average::active the value jumps where a pair becomes active
/// or no longer is; the gradient holds Z constant.
///
/// Hadsell, Chopra, LeCun: Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006, has
/// contrastive_form::half_square, a positive margin of 0 and a sum over pairs. pytorch-metric-learning's
/// ContrastiveLoss has these defaults and averages over all active positives and over all active negatives of
/// the whole batch. A list loss averages within each query first: with contrastive_average::active the two
/// are equal where all queries have as many active positives, and as many active negatives, and otherwise a
/// query of few active pairs counts more here. With CosineSimilarity its margins are similarities: take
/// distance::cosine and 1 minus those margins.
///
/// - Time O(n); no scratch, except for the columns of a matrix. Not invariant under shifts of the scores: they are cosines.
/// - Item weights are not used.
/// - Edge cases: a query without positives has the part of its negatives alone, and the other way round. At
///   the kink of a hinge the slope is 0, and so it is at a Euclidean distance of 0. Infinite scores count as
///   the largest finite number of the type; scores, terms and values beyond 1e290 as that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct contrastive {
  double positive_margin = 0.0;                                 ///< -1e100 to 1e100, a distance
  double negative_margin = 1.0;                                 ///< -1e100 to 1e100, a distance
  rankloss::distance distance = rankloss::distance::euclidean;  ///< d
  contrastive_form form = contrastive_form::hinge;              ///< f
  contrastive_average average = contrastive_average::all;       ///< Z
  directions over = directions::both;                           ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    constexpr options::real margin{.least = -1e100, .most = 1e100};
    visit("positive_margin", self.positive_margin, margin);
    visit("negative_margin", self.negative_margin, margin);
    visit("distance", self.distance, options::choice<rankloss::distance>{});
    visit("form", self.form, options::choice<contrastive_form>{});
    visit("average", self.average, options::choice<contrastive_average>{});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/contrastive.hpp>
#endif
