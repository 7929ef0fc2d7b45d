// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/data/tree_grades.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// The ranking objectives of XGBoost, for hosts that grow trees: gradients and Hessians by the rules of
/// XGBoost's src/objective/lambdarank_obj.cc (commit 06282d6), lambdarank_obj.h (205d2e6) and
/// src/common/ranking_utils.h (135c067), without position bias. XGBoost itself is not needed.
namespace rankloss::inline RANKLOSS_ABI::xgboost {

/// How pairs are formed (`lambdarank_pair_method`).
enum class pair_method {
  topk,  ///< each of the first k items by score with all later ones
  mean,  ///< each item with randomly drawn items of other relevance
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(pair_method) noexcept {
  return {"topk", "mean"};
}

/// Whether a normalization is applied.
enum class normalize { off, on };
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(normalize) noexcept {
  return {"off", "on"};
}

/// delta_ndcg: the change of NDCG. The ideal DCG is cut off at the k of `topk`; the discounts are not cut
/// off. gain::linear is XGBoost's `ndcg_exp_gain=false`.
struct delta_ndcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< 2^y - 1 for grades 0 to 31, or y (`linear`)
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table, which XGBoost does not have

  void validate() const { rankloss::detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept {
    return rankloss::detail::takes_grade(gain, gain_table, 31.0, y);
  }
  [[nodiscard]] std::string_view expects() const noexcept {
    if (gain == rankloss::gain::linear) return "at least 0";
    return gain == rankloss::gain::table ? "a whole number, 0 to the last of gain_table"
                                         : "a whole number, 0 to 31, or gain::linear";
  }
};

/// delta_map: the change of average precision, for relevance 0 and 1.
struct delta_map {
  void validate() const noexcept {}
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y == 0.0 || y == 1.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "0 or 1"; }
};

/// equal: all weights are 1.
struct equal {
  void validate() const noexcept {}
};

/// lambdamart: logistic losses of pairs, weighted by the change of a metric.
///
///     loss       = Z sum over the pairs i, j with y_i > y_j:  w_ij log(1 + exp(-(s_i - s_j)))
///     gradient_i = derivative of that loss with w and Z held constant
///     hessian_i  = Z sum over the pairs of i:  2 w_ij max(p (1 - p), 1e-16),   p = sigmoid(s_i - s_j)
///     w_ij       = change of the metric / (0.01 + |s_i - s_j|)
///     Z          = log2(1 + L) / L,  L the sum of |gradient| over both items of all pairs;
///                  1 / pairs_per_item with pair_method::mean
///
/// With `score_normalization = off`, and for a list whose scores are all equal, w is not divided. With
/// `list_normalization = off`, Z is 1.
///
///     const rankloss::xgboost::ndcg loss{.weight = {.gain = rankloss::gain::linear}, .pairs_per_item = 10};
///
/// Burges: From RankNet to LambdaRank to LambdaMART: an overview, MSR-TR-2010-82; the other rules are
/// XGBoost's.
///
/// - The gradient is not the derivative of a value, because w and Z depend on the scores. The value is the
///   loss above, for logging.
/// - XGBoost's weights of groups are `list_weights`: for G lists it computes what `reduction::mean` does with
///   `scale = G`; without weights that is `reduction::sum`. Item weights, which XGBoost does not have,
///   multiply the outputs of their items.
/// - Everything is computed in double; XGBoost computes the sigmoid and sums pairs in float. 1 + L keeps the
///   digits of a small L.
/// - pair_method::mean draws with Philox of (seed, number of the list, number of the item, draw), not with
///   XGBoost's generator. Change the seed from round to round. The ideal DCG is then that of the whole list.
///   `pairs_per_item` is at most 2^32 - 1.
/// - Computed pair by pair: time O(k n), or O(n pairs_per_item), after a sort; scratch O(n). Equal scores are
///   in the order of the items, as in XGBoost, so alike items have the gradients of their positions.
/// - Invariant under shifts of all scores; without item weights the gradient of a list sums to 0 up to
///   rounding. The Hessian is never negative.
/// - Edge cases: for a list without pairs, or without gain, everything is 0. Infinite scores count as the
///   largest finite numbers.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or the metric does not
/// accept a relevance.
template <class Weight>
struct lambdamart {
  Weight weight{};                                ///< the metric
  pair_method pairs = pair_method::topk;          ///< how pairs are formed
  std::size_t pairs_per_item = 0;                 ///< k, or draws for each item; 0: 32 and 1, as XGBoost
  normalize list_normalization = normalize::on;   ///< `lambdarank_normalization`
  normalize score_normalization = normalize::on;  ///< `lambdarank_score_normalization`
  std::uint64_t seed = 0;                         ///< of pair_method::mean

  static constexpr bool has_hessian = true;
  static constexpr bool is_slope = false;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("weight", self.weight, options::inner{});
    visit("pairs", self.pairs, options::choice<pair_method>{});
    visit("pairs_per_item", self.pairs_per_item, options::whole{.most = 0xffffffffu});
    visit("list_normalization", self.list_normalization, options::choice<normalize>{});
    visit("score_normalization", self.score_normalization, options::choice<normalize>{});
    visit("seed", self.seed, options::seed);
  }

  /// The metric, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    rankloss::detail::for_each_inner(weight, visit);
  }

  /// Whether the list counts in reduction::mean_of_relevant: whether it has a pair.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return rankloss::detail::has_pair(items);
  }
};

/// ndcg, map, pairwise: `rank:ndcg`, `rank:map` and `rank:pairwise`.
using ndcg = lambdamart<delta_ndcg>;
using map = lambdamart<delta_map>;
using pairwise = lambdamart<equal>;

}  // namespace rankloss::inline RANKLOSS_ABI::xgboost

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/hosts/xgboost.hpp>
#endif
