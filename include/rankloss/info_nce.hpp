// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// How several positives of a query share the softmax of info_nce. For one positive all are the same.
enum class positive_share {
  outside,   ///< mean of the logarithms: each positive competes with all items, the other positives too
  inside,    ///< logarithm of the mean: the positives compete together
  separate,  ///< mean of the logarithms: each positive competes with the negatives alone
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(positive_share) noexcept {
  return {"outside", "inside", "separate"};
}

/// info_nce: the cross entropy of picking the positives of a query from all its items by a softmax of the
/// similarities. It is known as InfoNCE, NT-Xent, N-pairs, SupCon, the contrastive loss of CLIP, sampled
/// softmax, multiple negatives ranking loss, and softmax with in-batch negatives.
///
///     e_i      = w_i exp(s_i / temperature),  w_i = 1, or the item weight
///     Z        = sum over all e_i,  N = sum over negatives e_n
///     query(s) = - mean over positives p of log(e_p / Z)                        positive_share::outside
///              = - log(mean over positives p of e_p / Z)                        positive_share::inside
///              = - mean over positives p of log(e_p / (e_p + N))                positive_share::separate
///
/// With label smoothing the target of `outside` is (1 - label_smoothing) / P for each of P positives, and
/// label_smoothing / n more for each of n items. With a `positive_prior` q, for `separate`, some of the
/// negatives are expected to be positives: N is replaced by
///
///     max((N - q n_negatives mean over positives e_p) / (1 - q), n_negatives exp(-1 / temperature))
///
/// where n_negatives is the number of negatives, and similarities are cosines.
///
/// Which loss it is:
/// - CLIP (Radford et al. 2021, arXiv 2103.00020): `over = both`, matches by index; the temperature is
///   learned, by outputs::temperature_gradient (CLIP's logit scale is log(1 / temperature), so that its
///   slope is -temperature times that).
/// - One direction, such as queries of a recommender or of dense retrieval: `over = rows`. Hard negatives are
///   further columns (`extra_columns` of the batch). What the columns were sampled with corrects the softmax
///   (logQ): `column_probabilities` p make w_j = 1 / p_j (Yi et al., RecSys 2019). Columns that hold the item
///   of the match once more (accidental hits) are left out by `row_ids` and `column_ids`, suspected false
///   negatives by `mask`.
/// - NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709): all views with themselves, `without_diagonal`,
///   two views of a picture in one class, `over = rows`.
/// - SupCon (Khosla et al. 2020, arXiv 2004.11362): the same with class ids; `outside` is their L_out,
///   `inside` their L_in. MIL-NCE is `inside` without the logarithm of the number of positives.
/// - pytorch-metric-learning's NTXentLoss is `separate` with its mean over the pairs of the batch.
/// - Debiased contrastive loss (Chuang et al. 2020, arXiv 2007.00224): `separate` with a positive_prior.
///
/// van den Oord, Li, Vinyals: Representation Learning with Contrastive Predictive Coding, 2018, arXiv
/// 1807.03748.
///
/// - Time O(n), one exponential an item; scratch O(n). Exponentials are relative to the greatest of the
///   positives and to that of the negatives, and never overflow; values keep their digits where the softmax
///   is nearly right.
/// - Invariant under shifts of the scores, without a positive_prior; the gradient sums to 0. Convex for one
///   positive.
/// - Item weights of a list_batch are w_i; an item of weight 0 counts as absent from the sums.
/// - Edge cases: a query without positives has value 0 and gradient 0; one without negatives has value 0
///   for `separate`. Infinite scores count as the largest finite number of the type, values beyond 1e290 as
///   that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or does not go with
/// `positives`, or when the matrix is not square and no matches are given.
struct info_nce {
  double temperature = 0.07;                           ///< 1e-15 to 1e300, in units of the similarities
  positive_share positives = positive_share::outside;  ///< of several positives
  double label_smoothing = 0.0;  ///< 0 to 1, share of the target that all items have; for `outside`
  double positive_prior = 0.0;   ///< 0 to 0.99, expected share of positives among negatives; for `separate`
  directions over = directions::both;  ///< which lines of a matrix are queries

  static constexpr bool has_temperature_gradient = true;
  static constexpr bool takes_probabilities = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("positives", self.positives, options::choice<positive_share>{});
    visit("label_smoothing", self.label_smoothing, options::share);
    visit("positive_prior", self.positive_prior, options::real{.least = 0.0, .most = 0.99});
    visit("over", self.over, options::choice<directions>{});
  }

  void validate() const {
    detail::require(label_smoothing == 0.0 || positives == positive_share::outside,
                    "label_smoothing: ", label_smoothing, ", expected 0 unless positives is outside");
    detail::require(positive_prior == 0.0 || positives == positive_share::separate,
                    "positive_prior: ", positive_prior, ", expected 0 unless positives is separate");
  }
  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/info_nce.hpp>
#endif
