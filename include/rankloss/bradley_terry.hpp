// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/options.hpp>
#include <rankloss/preference_batch.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI {

/// bradley_terry: minus the log probability that the preferred item wins, under the Bradley-Terry model of
/// the rewards.
///
///     z              = (r_preferred - r_other - margin of the pair) / t,  t = temperature
///     loss           = -(1 - e) log sigmoid(z) - e log sigmoid(-z) + c (r_preferred + r_other)^2,
///                      e = smoothing, c = centring
///     d(loss)/d(r)   = +-(e sigmoid(z) - (1 - e) sigmoid(-z)) / t + 2 c (r_preferred + r_other),
///                      + for the preferred item
///     d2(loss)/d(r)2 = sigmoid(z) sigmoid(-z) / t^2 + 2 c
///
/// Bradley, Terry: Rank analysis of incomplete block designs, Biometrika 39 (1952); as the loss of reward
/// models: Ouyang et al.: Training language models to follow instructions with human feedback, NeurIPS 2022,
/// arXiv 2203.02155. Margins: Touvron et al.: Llama 2, arXiv 2307.09288. Centring: Eisenstein et al.: Helping
/// or herding?, arXiv 2312.09244. Smoothing assumes that each label is wrong with probability e.
///
/// - Time O(1) for each pair. Any difference of rewards can be computed: log sigmoid is formed from its
///   larger term.
/// - Convex in the rewards. Without centring, invariant under shifts of all rewards, and the gradient sums to
///   0 up to rounding.
/// - Losses and derivatives beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct bradley_terry {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the rewards
  double smoothing = 0.0;    ///< e: 0 to 1/2
  double centring = 0.0;     ///< c: 0 to 1e100

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("smoothing", self.smoothing, options::real{.least = 0.0, .most = 0.5});
    visit("centring", self.centring, options::real{.least = 0.0, .most = 1e100});
  }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term operator()(double preferred, double other,
                                                                double margin) const noexcept {
    using detail::bounded_term;
    using detail::larger;
    const double z = bounded_term((preferred - other - margin) / temperature);
    const double small = std::exp(-std::abs(z));
    const double near_one = 1.0 / (1.0 + small);
    const double near_zero = small / (1.0 + small);
    const double right = z >= 0.0 ? near_one : near_zero;  // sigmoid(z)
    const double wrong = z >= 0.0 ? near_zero : near_one;
    const double pull = (smoothing * right - (1.0 - smoothing) * wrong) / temperature;
    const double bend = right * wrong / temperature / temperature;
    const double both = preferred + other;
    const double push = bounded_term(2.0 * centring * both);
    const double value = std::log1p(small) + (1.0 - smoothing) * larger(-z, 0.0) +
                         smoothing * larger(z, 0.0) + bounded_term(centring * both * both);
    return {detail::lesser(value, detail::largest_term), bounded_term(push + pull), bounded_term(push - pull),
            bend + 2.0 * centring, bend + 2.0 * centring};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/bradley_terry.hpp>
#endif
