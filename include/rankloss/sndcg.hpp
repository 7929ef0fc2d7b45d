// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// sndcg: smooth NDCG, one minus the NDCG of sigmoid ranks.
///
///     rank_i       = 1 + sum_{j != i} sigmoid((s_j - s_i) / temperature)
///     DCG          = sum_i w_i G(y_i) / log2(1 + rank_i)
///     loss         = 1 - DCG / ideal DCG
///     a_i          = w_i G(y_i) ln2 / ((1 + rank_i) ln^2(1 + rank_i)) / ideal DCG
///     d(loss)/ds_m = 1 / temperature * sum_j (a_j - a_m) sigmoid'((s_j - s_m) / temperature)
///
/// Qin, Liu, Li: A general approximation framework for direct optimization of information retrieval measures,
/// Information Retrieval 13 (2010), as ApproxNDCG; Li et al.: Integrating Listwise Ranking into
/// Pairwise-based Image-Text Retrieval, 2023, arXiv 2305.16566, as S-NDCG with temperature 0.01. It differs
/// from the published S-NDCG in the ideal DCG (`ideal::competition_ranks` gives the published one), and
/// exponents are not clamped.
///
/// - Time O(n K) after a sort, with K = 10 (float) or 22 (double) exponentials, and without a sort where
///   scores are dense; scratch O(n). Float gradients are within 2e-6 and double gradients within 1e-13 of the
///   O(n^2) sum, relative to the largest entry (docs/numerics.md lists the exceptions).
/// - Invariant under shifts of all scores; the gradient of a list sums to 0 up to rounding. Not convex.
/// - With a cutoff k, an item counts by a factor that is 1 up to soft rank k, 0 from k + 1 on, and a cubic
///   between; the ideal DCG is that of the first k ranks. As temperature -> 0 this is NDCG@k.
/// - Edge cases: a list without positive ideal DCG (empty, or without a relevant item) has loss 0 and
///   gradient 0. Equal scores share the rank in the middle. Infinite scores rank first or last and get no
///   gradient. Gains may have any size; they are scaled and never overflow.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct sndcg {
  double temperature = 0.01;                          ///< 1e-15 to 1e300, in units of the scores
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                ///< k of NDCG@k; 0: the whole list
  rankloss::ideal ideal = rankloss::ideal::sorted;  ///< how the ideal DCG is computed

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("ideal", self.ideal, options::choice<rankloss::ideal>{});
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept {
    return detail::takes_gain(gain, y);
  }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  /// Whether the list counts in reduction::mean_of_relevant: any item has a gain above 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sndcg.hpp>
#endif
