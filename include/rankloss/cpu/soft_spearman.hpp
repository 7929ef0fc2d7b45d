// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Computes the ranks of both sides and their correlation. Its gradient goes through the pullback of the
/// soft ranks.
struct soft_spearman_engine {
  template <class Ranks, class T, class R>
  static double run(const soft_spearman<Ranks>& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    if (all_equal(items.relevance)) return 0.0;
    const workspace::scope scope(scratch);
    const std::span<double> relevance = scratch.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) relevance[i] = static_cast<double>(items.relevance[i]);
    const auto hard = hard_ranks{}(strided<const double>(relevance.data(), n), scratch);
    const auto soft = loss.ranks(items.scores, scratch);
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

}  // namespace detail

template <class Ranks>
struct engine<soft_spearman<Ranks>, context> : detail::soft_spearman_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
