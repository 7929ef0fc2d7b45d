// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Pair by pair in the order given, on the calling thread.
struct preference_engine {
  template <class Loss, class T>
  static double run(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                    double* tie_gradient, context& ctx) {
    const std::size_t pairs = batch.preferred.size();
    workspace& scratch = ctx.scratch();
    const workspace::scope scope(scratch);
    const output_sums sums(out, pairs, scratch);

    constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);
    const auto reward = [&](std::size_t i) {
      return std::clamp(static_cast<double>(bounded(batch.rewards[i])), -largest, largest);
    };
    const auto term_of = [&](std::size_t k) {
      const double preferred = reward(static_cast<std::size_t>(batch.preferred[k]));
      const double other = reward(static_cast<std::size_t>(batch.other[k]));
      const double margin = batch.margins.empty() ? 0.0 : batch.margins[k];
      if constexpr (tie_loss<Loss>)
        if (!batch.ties.empty() && batch.ties[k]) return loss.tie(preferred, other, margin);
      return loss(preferred, other, margin);
    };
    const bool of_relevant = batch.reduction == reduction::mean_of_relevant;
    for (std::size_t k = 0; of_relevant && k < pairs; ++k) sums.values[k] = term_of(k).value;
    const auto weight = [&](std::size_t k) {
      return of_relevant && !(sums.values[k] > 0.0) ? 0.0 : weight_of(batch.pair_weights, k);
    };
    const weighted_mean mean(pairs, weight, batch.reduction);
    double by_ties = 0.0;
    for (std::size_t k = 0; k < pairs; ++k) {
      const auto p = static_cast<std::size_t>(batch.preferred[k]);
      const auto o = static_cast<std::size_t>(batch.other[k]);
      const double w = mean.scaled(weight(k));
      const preference_term term = term_of(k);
      sums.values[k] = term.value;
      if (!(w > 0.0)) continue;
      by_ties += w * term.slope_of_ties;
      if (!sums.gradient.empty()) {
        sums.gradient[p] += w * term.slope_preferred;
        sums.gradient[o] += w * term.slope_other;
      }
      if (!sums.hessian.empty()) {
        sums.hessian[p] += w * term.curvature_preferred;
        sums.hessian[o] += w * term.curvature_other;
      }
    }
    const double value = sums.commit(mean, weight);
    if (tie_gradient != nullptr)
      write_scaled(std::span(tie_gradient, 1), std::span(&by_ties, 1), mean.factor(out.scale), out.update);
    return value;
  }
};

}  // namespace detail

template <preference_loss Loss>
struct engine<Loss, context> : detail::preference_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
