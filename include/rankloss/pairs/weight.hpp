// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

/// Weights of pairs, which `pairwise` multiplies with the function of a pair. Weights by rank take
/// ranks in the order of the scores, with equal scores in the order of the items. The gradient takes them
/// as constants; they jump where two items change their ranks. Items that are alike in score, relevance and
/// weight have the mean of the slopes that they have in all orders of these items. Weights that use gains, or
/// relevance as a factor, refuse relevance below 0.
namespace rankloss::inline RANKLOSS_ABI::pairs {

/// Whether weights are divided by the ideal DCG of the list.
enum class scale_by {
  ideal,  ///< lists count the same for any number of relevant items; without gain the weights are 0
  none,   ///< not divided; grades up to 100
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(scale_by) noexcept {
  return {"ideal", "none"};
}

/// equal: every pair has weight 1.
struct equal {};

/// The quantity whose difference is taken.
enum class difference_of {
  relevance,  ///< y
  squares,    ///< y^2
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(difference_of) noexcept {
  return {"relevance", "squares"};
}

/// relevance_difference: |y_i - y_j|, as in ARP-Loss2, or |y_i^2 - y_j^2|. The latter increases with the
/// difference only if no relevance is below 0, so it refuses relevance below 0.
struct relevance_difference {
  difference_of of = difference_of::relevance;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("of", self.of, options::choice<difference_of>{});
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept {
    return of == difference_of::relevance || y >= 0.0;
  }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

/// delta_ndcg: the change of NDCG when the two items swap their ranks: |G_i - G_j| |1/D(r_i) - 1/D(r_j)|,
/// D(r) = log2(1 + r). The weight of LambdaRank.
struct delta_ndcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;  ///< k of NDCG@k: discounts beyond it are 0; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;  ///< NDCG or DCG

  static constexpr bool uses_ranks = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("scale", self.scale, options::choice<scale_by>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }
};

/// ndcg_loss2: |G_i - G_j| |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)|, the tighter bound on NDCG of the
/// LambdaLoss framework.
struct ndcg_loss2 {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool uses_ranks = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("scale", self.scale, options::choice<scale_by>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }
};

/// ndcg_loss2_plus: the weight of delta_ndcg plus mu times that of ndcg_loss2, as in NDCG-Loss2++.
struct ndcg_loss2_plus {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  double mu = 10.0;                                   ///< 0 to 1e30
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool uses_ranks = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("mu", self.mu, options::real{.least = 0.0, .most = 1e30});
    visit("cutoff", self.cutoff, options::cutoff);
    visit("scale", self.scale, options::choice<scale_by>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }
};

/// ndcg_loss1: G_i / D(r_i) of the first item of every ordered pair, including pairs of equal relevance and
/// pairs of an item with itself.
struct ndcg_loss1 {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool uses_ranks = true;
  static constexpr bool all_pairs = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("scale", self.scale, options::choice<scale_by>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }
};

/// arp_loss1: y_i of the first item of every ordered pair, including pairs of equal relevance and pairs of an
/// item with itself.
struct arp_loss1 {
  static constexpr bool all_pairs = true;
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

/// delta_map: the change of average precision when the two items swap their ranks. Items of relevance > 0 are
/// relevant; pairs of two relevant items have weight 0.
struct delta_map {
  static constexpr bool uses_ranks = true;
  static constexpr bool binary = true;
};

/// delta_mrr: the change of the reciprocal rank of the first relevant item when the two items swap their
/// ranks. Items of relevance > 0 are relevant.
struct delta_mrr {
  static constexpr bool uses_ranks = true;
  static constexpr bool binary = true;
};

}  // namespace rankloss::inline RANKLOSS_ABI::pairs

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/pairs/weight.hpp>
#endif
