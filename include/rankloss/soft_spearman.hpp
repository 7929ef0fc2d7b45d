// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// soft_spearman: one minus Spearman's correlation of the smooth ranks of the scores with the ranks of the relevance.
///
///     loss             = 1 - rho,  rho = sum_i a_i b_i / (|a| |b|),  a = ranks(s) - mean,  b = average ranks of y - mean
///     d(loss)/d(rank)  = (rho a / |a| - b / |b|) / |a|
///
/// Spearman: The proof and measurement of association between two things, American Journal of Psychology 15
/// (1904), with the ranks of Blondel et al.: Fast differentiable sorting and ranking, ICML 2020, arXiv
/// 2002.08871. Items of equal relevance share the rank in the middle.
///
/// - Time and scratch are those of the ranks and of one sort. Values are in [0, 2]. Item weights are not
///   used.
/// - At temperatures far above the spread of the scores, digits are lost, because the loss divides by the
///   spread of the ranks (docs/numerics.md).
/// - Edge cases: a list whose relevance is all equal (also a list of one item, or of none) has loss 0 and
///   gradient 0. A list whose smooth ranks are all equal has loss 1 and gradient 0.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
template <class Ranks = sigmoid_ranks>
struct soft_spearman {
  Ranks ranks{};

  void validate() const {
    if constexpr (requires { ranks.validate(); }) ranks.validate();
    detail::require(ranks.order == rank_order::descending, "ranks: ascending, expected descending, as those of the relevance are");
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    if (all_equal(items.relevance)) return 0.0;
    const workspace::scope scope(scratch);
    const std::span<double> relevance = scratch.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) relevance[i] = static_cast<double>(items.relevance[i]);
    const auto hard = hard_ranks{}(strided<const double>(relevance.data(), n), scratch);
    const auto soft = ranks(items.scores, scratch);
    const std::span<double> b = centred(hard.values(), scratch);
    const std::span<double> a = centred(soft.values(), scratch);
    const double size_a = std::sqrt(product(a, a));
    const double size_b = std::sqrt(product(b, b));
    // Ranks that differ only by rounding count as equal.
    if (!(size_a > 1e-9 * static_cast<double>(n))) return 1.0;
    const double rho = product(a, b) / (size_a * size_b);
    if (!out.gradient.empty()) {
      const std::span<double> gradient = scratch.take<double>(n);
      for (std::size_t i = 0; i < n; ++i) b[i] = (rho * a[i] / size_a - b[i] / size_b) / size_a;
      soft.pullback(b, gradient);
      for (std::size_t i = 0; i < n; ++i) out.gradient[i] = static_cast<T>(gradient[i]);
    }
    return 1.0 - rho;
  }

 private:
  template <class R>
  [[nodiscard]] static bool all_equal(const strided<const R>& relevance) noexcept {
    for (std::size_t i = 1; i < relevance.size(); ++i)
      if (relevance[i] != relevance[0]) return false;
    return true;
  }
  [[nodiscard]] static std::span<double> centred(std::span<const double> values, workspace& scratch) {
    const std::span<double> moved = scratch.take<double>(values.size());
    double sum = 0.0;
    for (const double v : values) sum += v;
    const double mean = sum / static_cast<double>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) moved[i] = values[i] - mean;
    return moved;
  }
  [[nodiscard]] static double product(std::span<const double> a, std::span<const double> b) noexcept {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
