// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/workspace.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// listnet: the cross entropy between the top-one probabilities of the relevance and of the scores.
///
///     loss           = - sum_i q_i log p_i,  p = softmax(s / temperature),
///                      q = softmax(y / relevance_temperature)
///     d(loss)/d(s_m) = (p_m - q_m) / temperature
///
/// Cao, Qin, Liu, Tsai, Li: Learning to rank: from pairwise approach to listwise approach, ICML 2007. This is
/// softmax_cross_entropy with target::softmax, and everything said there holds.
///
/// - A list without relevance has a uniform target and counts in reduction::mean, as in allRank;
///   reduction::mean_of_relevant leaves it out.
/// - allRank adds 1e-10 to p before it takes the logarithm; nothing is added here.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct listnet {
  double temperature = 1.0;            ///< of the scores, 1e-15 to 1e300
  double relevance_temperature = 1.0;  ///< of the relevance, 1e-15 to 1e300

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("relevance_temperature", self.relevance_temperature, options::temperature);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    return detail::compute(cross_entropy(), items, out, scratch);
  }

  /// The loss that this is.
  [[nodiscard]] softmax_cross_entropy cross_entropy() const {
    return {.temperature = temperature,
            .target = target::softmax,
            .relevance_temperature = relevance_temperature};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
