// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// unique_softmax: the softmax loss of each item against all items that are less relevant.
///
///     p_i              = exp(s_i / t) / (exp(s_i / t) + sum_{y_j < y_i} exp(s_j / t)),  t = temperature
///     p_ij             = the same with s_j above, for y_j < y_i
///     loss             = - sum_i w_i G(y_i) log p_i
///     d(loss)/d(s_m)   = (sum_{y_i > y_m} w_i G(y_i) p_im - w_m G(y_m) (1 - p_m)) / t
///     d2(loss)/d(s_m)2 = (sum_{y_i > y_m} w_i G(y_i) p_im (1 - p_im) + w_m G(y_m) p_m (1 - p_m)) / t^2
///
/// Zhu, Klabjan: Listwise learning to rank by exploring unique ratings, WSDM 2020, arXiv 2001.01828, in the
/// form of Rax and TensorFlow Ranking, in which each item has a term of its own; gains as there, 2^y - 1.
///
/// - Time: a sort by relevance and O(n); scratch O(n). Sums are taken relative to the largest score that
///   remains, so scores may be any distance apart.
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding. Convex.
/// - Edge cases: a list without relevance, or in which no item is less relevant than a relevant one, has loss
///   0 and gradient 0. A gain beyond 1e290 counts as 1e290. Infinite scores count as the largest finite
///   number of the type. Losses beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct unique_softmax {
  double temperature = 1.0;                           ///< 1e-15 to 1e300, in units of the scores
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  /// Whether the list counts in reduction::mean_of_relevant: any item has a gain above 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/unique_softmax.hpp>
#endif
