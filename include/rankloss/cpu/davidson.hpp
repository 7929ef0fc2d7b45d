// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cpu/preference_batch.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// By the formulas of the face.
template <class Arch>
struct lane_form<davidson, Arch> {
  using V = lanes<Arch>;

  // Without ties, far below any logarithm of their weight, and still a number of which sums are finite.
  explicit lane_form(const davidson& loss) noexcept
      : inverse(1.0 / loss.temperature),
        log_prevalence(is_minus_infinity(loss.log_prevalence) ? -largest_term : loss.log_prevalence) {}

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> term(const V& preferred, const V& other,
                                                                   const V& margin) const noexcept {
    const outcomes of(*this, preferred, other, margin);
    return of.term(xsimd::select(of.leads, of.loss_ahead, of.loss_behind),
                   -(xsimd::select(of.leads, of.behind, of.ahead) + V(0.5) * of.tie), of.tie, inverse);
  }

  [[nodiscard]] [[gnu::always_inline]] preference_lanes<Arch> tie(const V& preferred, const V& other,
                                                                  const V& margin) const noexcept {
    const outcomes of(*this, preferred, other, margin);
    return of.term(of.loss_tie, V(0.5) * of.lead, -(of.ahead + of.behind), inverse);
  }

 private:
  /// Losses and probabilities of three outcomes: that the item that is ahead wins, the other one, or none.
  struct outcomes {
    using flags = decltype(V() >= V());

    [[gnu::always_inline]] outcomes(const lane_form& form, const V& preferred, const V& other,
                                    const V& margin) noexcept {
      const V zero(0.0), one(1.0);
      const V z = bounded_term((opaque(preferred - other) - margin) * form.inverse);
      const V a = xsimd::abs(z);
      const V ties = form.log_prevalence - V(0.5) * a;
      const V most = xsimd::max(ties, zero);
      const V small = falling_exp(xsimd::abs(ties)).value;
      const exp_lanes<Arch> lost = falling_exp(a);
      const auto ties_lead = ties > zero;
      const V first = xsimd::select(ties_lead, small, one);
      const V last = lost.value * first;
      const V rest = last + small;
      const auto [log_sum, share] = of_1_plus(rest, log_tail_7);
      leads = z >= zero;
      ahead = first * share;
      behind = last * share;
      tie = xsimd::select(ties_lead, one, small) * share;
      loss_ahead = most + log_sum;
      loss_behind = opaque(most + a) + log_sum;
      // Hidden: where ties are all but certain, nothing but the logarithm is left.
      loss_tie = opaque(most - ties) + log_sum;
      const V size = ahead * -lost.less_1;
      lead = xsimd::select(leads, size, -size);
    }

    [[nodiscard]] preference_lanes<Arch> term(const V& value, const V& slope, const V& slope_of_ties,
                                              const V& by_temperature) const noexcept {
      const V pull = slope * by_temperature;
      const V bend = (ahead * behind + V(0.25) * tie * (ahead + behind)) * by_temperature * by_temperature;
      return {xsimd::min(value, V(largest_term)), pull, -pull, bend, slope_of_ties};
    }

    flags leads;
    V ahead, behind, tie;  // probabilities
    V loss_ahead, loss_behind, loss_tie;
    V lead;  // P(win) - P(lose), computed without cancellation
  };

  V inverse, log_prevalence;  // inverse of the temperature
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
