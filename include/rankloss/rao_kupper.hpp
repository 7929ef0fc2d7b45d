// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bradley_terry.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/options.hpp>
#include <rankloss/preference_batch.hpp>

#include <cmath>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// rao_kupper: minus the log probability of the outcome of a pair, a win or a tie, under the Bradley-Terry
/// model with a threshold: a lead smaller than the threshold may end in a tie.
///
///     z              = (r_preferred - r_other - margin of the pair) / t
///     t              = temperature,  eta = threshold / t
///     P(win)         = sigmoid(z - eta)
///     P(tie)         = (e^(2 eta) - 1) sigmoid(z - eta) sigmoid(-z - eta)
///     loss           = -log P(win), or -log P(tie) where the pair is a tie
///     win: d/dz      = -sigmoid(eta - z),                    d2/dz2 = sigmoid(z - eta) sigmoid(eta - z)
///          d/d(eta)  = sigmoid(eta - z)
///     tie: d/dz      = sigmoid(z - eta) - sigmoid(-z - eta)
///          d2/dz2    = sigmoid(z - eta) sigmoid(eta - z) + sigmoid(z + eta) sigmoid(-z - eta)
///          d/d(eta)  = -sigmoid(z - eta) - sigmoid(-z - eta) - 2 / (e^(2 eta) - 1)
///
/// Rao, Kupper: Ties in paired-comparison experiments: a generalization of the Bradley-Terry model, JASA 62
/// (1967). Their theta is e^eta: P(i beats j) = e^(r_i) / (e^(r_i) + theta e^(r_j)).
///
/// - The tie parameter is the threshold, in units of the rewards like a margin.
///   `evaluate(loss, batch, out, tie_gradient, ctx)` returns the derivative by it. The loss is convex in
///   rewards and threshold together. Near a threshold of 0 a tie has the loss -log(2 eta) and the slope -1 /
///   eta, which keeps an optimiser away from 0; its steps must keep the threshold above 0.
/// - Time O(1) for each pair. Any difference of rewards and any threshold can be computed: terms of similar
///   size are never subtracted.
/// - Invariant under shifts of all rewards; the gradient sums to 0 up to rounding. The margin of a tie is the
///   lead at which ties are most probable.
/// - With threshold 0 ties have probability 0, and the loss has the bits of bradley_terry. With the default,
///   a pair of equal rewards has three outcomes of probability 1/3.
/// - Losses and derivatives beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the threshold is
/// 0 and the batch has a tie.
struct rao_kupper {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the rewards
  double threshold =
      0.6931471805599453;  ///< 0 to 1e100, in units of the rewards; above 0 where there are ties

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("threshold", self.threshold, options::real{.least = 0.0, .most = 1e100});
  }
  /// Why the options give ties no probability; empty where they give them one.
  [[nodiscard]] std::string_view refuses_ties() const noexcept {
    return threshold > 0.0 ? "" : "threshold: 0, expected above 0";
  }
  void validate_tie(std::size_t pair) const { detail::require_ties(refuses_ties(), pair); }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term operator()(double preferred, double other,
                                                                double margin) const noexcept {
    preference_term term = win()(preferred, other, margin + threshold);
    term.slope_of_ties = term.slope_other;
    return term;
  }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term tie(double preferred, double other,
                                                         double margin) const noexcept {
    using detail::larger;
    const double z = detail::bounded_term((preferred - other - margin) / temperature);
    const double eta = larger(threshold / temperature, detail::least_normal<double>);
    // By the distance a = |z| of the item that is ahead: softplus(eta - a) + softplus(eta + a) - 2 eta, with
    // 2 eta taken out of both terms.
    const double apart = std::abs(z) - eta;
    const double near = std::exp(-std::abs(apart));
    const double far = std::exp(-(std::abs(z) + eta));
    const double ahead = (apart >= 0.0 ? 1.0 : near) / (1.0 + near);  // sigmoid(a - eta)
    const double behind = far / (1.0 + far);                          // sigmoid(-a - eta)
    // log(1 - e^(-2 eta)), accurate for small and for large eta.
    const double grown = detail::log_of_rest(2.0 * eta);
    const double value = larger(apart, 0.0) + std::log1p(near) + std::log1p(far) - grown;
    // ahead - behind, computed without cancellation near z = 0.
    const double pull = std::copysign(ahead / (1.0 + far) * -std::expm1(-2.0 * std::abs(z)), z) / temperature;
    const double bend =
        (near / (1.0 + near) / (1.0 + near) + behind / (1.0 + far)) / temperature / temperature;
    const double slope_of_ties = -(ahead + behind + 2.0 / std::expm1(2.0 * eta)) / temperature;
    return {detail::lesser(value, detail::largest_term), pull, -pull, bend, bend,
            larger(slope_of_ties, -detail::largest_term)};
  }

 private:
  [[nodiscard]] RANKLOSS_HOST_DEVICE bradley_terry win() const noexcept {
    return {.temperature = temperature};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/rao_kupper.hpp>
#endif
