// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// Which negatives a triplet loss uses.
enum class mining {
  hardest,               ///< only the negative with the highest score, as in VSE++
  all,                   ///< every negative
  semi_hard,             ///< the hardest of the negatives that are less similar than the positive, if any
  semi_hard_or_easiest,  ///< the same, and where there is none the least similar negative of all
  all_semi_hard,         ///< every negative that is less similar than the positive by at most the margin
  distance_weighted,     ///< every negative by its chance of being drawn with a weight by distance
};
[[nodiscard]] constexpr std::array<std::string_view, 6> enumerators(mining) noexcept {
  return {"hardest", "all", "semi_hard", "semi_hard_or_easiest", "all_semi_hard", "distance_weighted"};
}

/// Which positives a triplet loss uses.
enum class mined_positives {
  all,      ///< every positive
  hardest,  ///< only the one with the lowest score: batch-hard mining, with mining::hardest
  easiest,  ///< only the one with the highest score: easy positive mining
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(mined_positives) noexcept {
  return {"all", "hardest", "easiest"};
}

/// What a triplet costs by how far it falls short of the margin, x.
enum class triplet_form {
  hinge,  ///< max(0, x)
  soft,   ///< log(1 + exp(x))
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(triplet_form) noexcept {
  return {"hinge", "soft"};
}

/// What the sum over the triplets of a query is divided by.
enum class triplet_average {
  positives,  ///< the number of positives that are used
  triplets,   ///< the number of triplets
  active,     ///< the number of triplets that cost more than 0; with triplet_form::soft all of them do
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(triplet_average) noexcept {
  return {"positives", "triplets", "active"};
}

/// triplet: a hinge loss between the matches and the non-matches of a query, over the rows and over the
/// columns of a similarity matrix.
///
///     query(s)  = 1/Z sum over positives p, sum over negatives n of p,  w_n f(margin + d(s_p) - d(s_n))
///     loss(S)   = 1/2 mean_i query(row i) + 1/2 mean_j query(column j)
///     f(x)      = max(0, x)  (triplet_form::hinge)  or  log(1 + exp(x))  (triplet_form::soft)
///     d(s)      = 1 - s for a cosine, or another `distance`
///
/// With the defaults it is the mean over positives p of max(0, margin - s_p + max_n s_n). `mine` says which
/// negatives a positive has and `positives` which positives count; Z is what `average` says. All w_n are 1,
/// except with mining::distance_weighted. Under reduction::sum it is the sum over all rows and columns;
/// `over` takes the rows or the columns alone. The query of a list_batch is a list, whose relevant items are
/// its positives.
///
/// - Hardest and all: Faghri et al.: VSE++: Improving Visual-Semantic Embeddings with Hard Negatives, BMVC
///   2018, arXiv 1707.05612, has both forms, as sums; Li et al. 2023, arXiv 2305.16566, take the mean.
/// - Semi-hard: Schroff, Kalenichenko, Philbin: FaceNet, CVPR 2015, arXiv 1503.03832. They have no word for a
///   positive without such a negative: here it has no triplet, as in the BatchEasyHardMiner of PyTorch Metric
///   Learning, or with semi_hard_or_easiest the one of TensorFlow Addons and Sentence Transformers.
///   all_semi_hard has the triplets of PyTorch Metric Learning's TripletMarginMiner("semihard").
/// - Batch-hard: Hermans, Beyer, Leibe: In defense of the triplet loss for person re-identification, 2017,
///   arXiv 1703.07737: mined_positives::hardest with mining::hardest, and the soft form with margin 0.
/// - Easy positives: Xuan, Stylianou, Pless: Improved embeddings with easy positive triplet mining, WACV
///   2020, arXiv 1904.04370: mined_positives::easiest with mining::hardest or semi_hard.
/// - Distance weighted: Wu, Manmatha, Smola, Krahenbuhl: Sampling matters in deep embedding learning, ICCV
///   2017, arXiv 1706.07567. They draw a negative with a chance of 1 / density(D), where D = sqrt(2 - 2 s)
///   and density(D) = D^(n-2) (1 - D^2/4)^((n-3)/2) is that of the distance of two random points of the
///   sphere in n dimensions. Here nothing is drawn: value and gradient are the expectations of theirs, so
///   w_n is the chance, which the gradient takes as a constant. It is therefore not the slope of the value.
///   Distances below `least_distance` count as that one, and negatives from `most_distance` on are never
///   drawn; a query without another has no triplet, as in PyTorch Metric Learning. Their own code then draws
///   from all.
///
/// - Time for a query of n items, P of them positives that are used: O(n) with one negative for each
///   positive, and a sort for semi-hard ones. For all negatives O(n min(P, log n)) as hinges, and in the
///   soft form O(n P) or, if that is more, near-linear. O(n P), SIMD over the negatives, for all_semi_hard
///   and distance_weighted; O(n P) also if scores are infinite. Scratch O(n). No array of the size of the
///   matrix is created.
/// - Invariant under shifts of all scores of a query, except with a Euclidean distance or distance weights.
///   As hinges of cosines with all positives, all or the hardest negatives, and average::positives it is
///   convex and piecewise linear.
/// - Where a triplet comes or goes the value may jump: with average::active at the kink of a hinge, with
///   semi-hard negatives where a negative passes a positive. Between the jumps the gradient is the slope.
/// - A term between finite scores that is beyond 1e290 counts as 1e290. A similarity above 1 has a Euclidean
///   distance of 0, and slope 0.
/// - Edge cases: a query without triplets has value 0; without positives, without negatives, or with none
///   that is active. Equally hard negatives share the slope equally: each gets the mean of the slopes that
///   each of them would have alone; so do equally easy or hard positives. At the kink of a hinge the slope
///   is 0. A negative of score -infinity counts as absent, so -infinity masks a pair. Other infinities make
///   a term 0 or infinite, as its limit; between a positive and a negative that are both +infinity it is 0.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, when
/// mining::distance_weighted comes without a dimension, or when the matrix is not square and no matches are
/// given.
struct triplet {
  double margin = 0.2;                                       ///< >= 0, in units of the distances
  rankloss::mining mine = rankloss::mining::hardest;         ///< which negatives count
  mined_positives positives = mined_positives::all;          ///< which positives count
  triplet_form form = triplet_form::hinge;                   ///< f
  triplet_average average = triplet_average::positives;      ///< Z
  rankloss::distance distance = rankloss::distance::cosine;  ///< d
  std::size_t dimension = 0;    ///< of the embeddings, from 2; only for mining::distance_weighted
  double least_distance = 0.5;  ///< Euclidean; nearer negatives are weighted as if they were at this one
  double most_distance = 1.4;   ///< Euclidean; negatives from here on are not drawn
  directions over = directions::both;  ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    constexpr options::real euclidean{.least = 1e-6, .most = 2.0};
    visit("margin", self.margin, options::at_least_0);
    visit("mine", self.mine, options::choice<mining>{});
    visit("positives", self.positives, options::choice<mined_positives>{});
    visit("form", self.form, options::choice<triplet_form>{});
    visit("average", self.average, options::choice<triplet_average>{});
    visit("distance", self.distance, options::choice<rankloss::distance>{});
    visit("dimension", self.dimension, options::whole{.most = std::size_t{1} << 24});
    visit("least_distance", self.least_distance, euclidean);
    visit("most_distance", self.most_distance, euclidean);
    visit("over", self.over, options::choice<directions>{});
  }

  void validate() const {
    if (mine != rankloss::mining::distance_weighted) return;
    detail::require(dimension >= 2, "dimension: ", dimension,
                    ", expected that of the embeddings, 2 or more, with distance_weighted");
    detail::require(least_distance < most_distance, "least_distance: ", least_distance,
                    ", expected less than most_distance ", most_distance);
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
