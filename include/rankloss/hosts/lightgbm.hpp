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

/// The ranking objectives of LightGBM, for hosts that grow trees: gradients and Hessians by the rules of
/// LightGBM's src/objective/rank_objective.hpp (commit 7e18687), without the position bias of later versions.
/// LightGBM itself is not needed.
namespace rankloss::inline RANKLOSS_ABI::lightgbm {

/// Whether a normalization is applied.
enum class normalize { off, on };
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(normalize) noexcept {
  return {"off", "on"};
}

/// lambdarank: logistic losses of pairs, weighted by the change of NDCG.
///
///     loss       = Z sum over the pairs i, j with y_i > y_j:  w_ij log(1 + exp(-sigmoid (s_i - s_j)))
///     gradient_i = derivative of that loss with w and Z held constant
///     hessian_i  = its second derivative with w and Z held constant
///     w_ij       = |G_i - G_j| |1/D(r_i) - 1/D(r_j)| / ideal DCG@truncation_level / (0.01 + |s_i - s_j|)
///     Z          = log2(1 + L) / L,  L the sum of |gradient| over both items of all pairs
///
/// Pairs are those with one of the first `truncation_level` items by score; D(r) = log2(1 + r). With
/// `norm = off`, w is not divided by 0.01 + |s_i - s_j|, and Z is 1. That division is also left out if all
/// scores of a list are equal.
///
///     const rankloss::lightgbm::lambdarank loss{.truncation_level = 10};
///
/// Burges: From RankNet to LambdaRank to LambdaMART: an overview, MSR-TR-2010-82; the other rules are
/// LightGBM's.
///
/// - The gradient is not the derivative of a value, because w and Z depend on the scores. The value is the
///   loss above, for logging.
/// - LightGBM sums over lists: use `reduction::sum`. Its weights of items are `item_weights`: they multiply
///   the outputs of their items.
/// - The sigmoid is exact. LightGBM reads it from a table of 2^20 steps of |sigmoid d| up to 25, and uses the
///   last step beyond. 1 + L keeps the digits of a small L. Lists may have more than LightGBM's 10000 items.
/// - The weight of a pair is the magnitude of its change, also where gain_table decreases; LightGBM would
///   change its sign there.
/// - Discounts divide, as on LightGBM's CPU; its CUDA kernel multiplies with log2(1 + r)
///   (src/objective/cuda/cuda_rank_objective.cu, 20996c9).
/// - Computed pair by pair: time O(k n) after a sort, with k the truncation level; scratch O(n). Equal scores
///   are in the order of the items, as in LightGBM, so alike items have the gradients of their positions.
/// - Invariant under shifts of all scores; without item weights the gradient of a list sums to 0 up to
///   rounding. The Hessian is never negative.
/// - Edge cases: for a list without pairs, or without gain, everything is 0. An item of score -infinity has
///   no pairs but counts in the ideal DCG. For the question whether all scores are equal, one such item is
///   ignored, and several are not. Other infinite scores count as the largest finite numbers.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance has no
/// gain.
struct lambdarank {
  double sigmoid = 1.0;                               ///< 1e-15 to 1e15, factor on the scores
  std::size_t truncation_level = 30;                  ///< k of pairs and of the ideal DCG; 0: the whole list
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade; exponential: grades 0 to 30
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table: LightGBM's `label_gain`
  normalize norm = normalize::on;        ///< `lambdarank_norm`

  static constexpr bool has_hessian = true;
  static constexpr bool is_slope = false;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("sigmoid", self.sigmoid, options::real{.least = 1e-15, .most = 1e15});
    visit("truncation_level", self.truncation_level, options::cutoff);
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("norm", self.norm, options::choice<normalize>{});
  }
  void validate() const { rankloss::detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept {
    return rankloss::detail::takes_grade(gain, gain_table, 30.0, y);
  }
  [[nodiscard]] std::string_view expects() const noexcept {
    if (gain == rankloss::gain::linear) return "at least 0";
    return gain == rankloss::gain::table ? "a whole number, 0 to the last of gain_table"
                                         : "a whole number, 0 to 30, or gain::table";
  }

  /// Whether the list counts in reduction::mean_of_relevant: whether it has a pair.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return rankloss::detail::has_pair(items);
  }
};

/// rank_xendcg: the cross-entropy between the softmax of the scores and a random distribution by relevance.
///
///     loss       = -sum_i p_i log rho_i,   p_i = phi_i / sum phi,   phi_i = 2^y_i - gamma_i,
///                  rho = softmax(s)
///     gradient_i = a_i + b_i + c_i
///     a_i        = rho_i - p_i                                       the derivative of the loss
///     b_i        = rho_i sum_{j != i} a_j / (1 - rho_j)
///     c_i        = rho_i sum_{j != i} b_j / (1 - rho_j)
///     hessian_i  = rho_i (1 - rho_i)
///
///     const rankloss::lightgbm::rank_xendcg loss{.seed = round};
///
/// Bruch: An alternative cross entropy loss for learning-to-rank, WWW 2021, arXiv 1911.09798; the terms b and
/// c are LightGBM's.
///
/// - The gradient is not the derivative of the value; that derivative is a. The value is the loss above, for
///   logging.
/// - LightGBM sums over lists: use `reduction::sum`. Its weights of items are `item_weights`: they multiply
///   the outputs of their items.
/// - gamma in (0, 1) is Philox of (seed, number of the list, number of the item). LightGBM's generator
///   continues from round to round instead, so change the seed with the round.
/// - 1 - rho_i of the largest score is computed as a sum over the others, and b and c are taken in the limit
///   where it vanishes; LightGBM divides by it.
/// - Time and scratch O(n). Invariant under shifts of all scores.
/// - Edge cases: for a list of one item everything is 0. Infinite scores count as the largest finite numbers;
///   a value beyond the largest double is set to it.
/// @throws std::invalid_argument from `evaluate` when a relevance is out of its range.
struct rank_xendcg {
  std::uint64_t seed = 0;  ///< of gamma

  static constexpr bool has_hessian = true;
  static constexpr bool is_slope = false;
  static constexpr double most = 1000.0;  ///< relevance

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("seed", self.seed, options::seed);
  }

  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y >= 0.0 && y <= most; }
  [[nodiscard]] std::string_view expects() const noexcept {
    return "0 to 1000, of which the whole part counts";
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::lightgbm

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/hosts/lightgbm.hpp>
#endif
