// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
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
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table; other relevance is worth 0

  static constexpr bool has_hessian = true;

  void validate() const {
    detail::check_temperature("temperature", temperature);
    detail::check_gain(gain, gain_table);
  }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const R* y = detail::contiguous_items(items.relevance, scratch);
    const std::span<const std::uint32_t> order = detail::order_by_relevance(y, n, nullptr, scratch);
    const std::span<double> gains = scratch.take<double>(n);
    double mass = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t i = order[k];
      gains[k] = std::min(worth(static_cast<double>(y[i])) * (items.weights.empty() ? 1.0 : items.weights[i]), detail::largest_term);
      mass = std::max(mass, gains[k]);
    }
    if (!(mass > 0.0)) {
      detail::clear(out);
      return 0.0;
    }
    const detail::order_outputs<T> outputs(out, order, mass, temperature);
    const detail::rest_sums rests = detail::sum_rests(items.scores, order, temperature, scratch);
    const bool derivatives = !out.gradient.empty() || !out.hessian.empty();
    detail::rest_pulls pulls(rests);
    double value = 0.0;
    detail::for_each_grade(y, order, [&](std::size_t begin, std::size_t end) {
      double a = 0.0;
      double b = 0.0;
      const double others = end < n ? std::log(rests.sum[end]) : 0.0;
      for (std::size_t k = begin; k < end; ++k) {
        const double own = gains[k] / mass;
        double q = 0.0;  // 1 - p_i
        if (end < n && own > 0.0) {
          const double d = rests.between(rests.s[k], rests.most[end]) - others;
          const double u = std::exp(-std::abs(d));
          q = (d > 0.0 ? u : 1.0) / (1.0 + u);
          value += own * (std::max(-d, 0.0) + std::log1p(u));
        }
        if (derivatives) {
          const auto [first, second] = pulls.at(k);
          outputs.write(k, first - own * q, first - second + own * q * (1.0 - q));
        }
        a += own * q;
        b += own * q * q;
      }
      if (end < n && a > 0.0) pulls.add(end, a, b);
    });
    return std::min(mass * value, detail::largest_term);
  }

  /// Whether the list counts in reduction::mean_of_relevant: any item has a gain above 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_gain(items, gain, gain_table);
  }

 private:
  [[nodiscard]] double worth(double y) const noexcept {
    if (gain == rankloss::gain::table) return y >= 0.0 && y < static_cast<double>(gain_table.size()) ? gain_table[static_cast<std::size_t>(y)] : 0.0;
    // expm1 keeps the digits of small grades.
    return std::clamp(gain == rankloss::gain::linear ? y : std::expm1(std::numbers::ln2 * std::min(y, 1000.0)), 0.0, detail::largest_term);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
