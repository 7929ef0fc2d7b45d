// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>

#include <numbers>

/// Functions of a pair: what `pairwise` adds up over pairs of which one item is more relevant than the other.
///
/// Each is called with vectors d = s_winner - s_loser, the score of the more relevant item less that of the other, and gap = y_winner - y_loser >= 0,
/// and gives its value and its first two derivatives by d. At a kink the slope is 0 where that is a subgradient: for hinge, squared_hinge and
/// quantile. A value or a derivative of a pair beyond 1e290 counts as that.
namespace rankloss::inline RANKLOSS_ABI::pairs {

/// A function's value and its derivatives by the difference of scores.
template <class V>
struct terms {
  V value, slope, curvature;
};

/// In which unit a logarithm is taken.
enum class logarithm {
  natural,  ///< nats
  binary,   ///< bits, as in the LambdaLoss papers' code
};

/// logistic: log(1 + exp(-d / temperature)); of RankNet and the LambdaLoss family. Convex; slope in (-1, 0) / temperature.
struct logistic {
  double temperature = 1.0;                           ///< 1e-15 to 1e300, in units of the scores
  pairs::logarithm unit = pairs::logarithm::natural;  ///< of the value, and so of the gradient

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept { return unit == pairs::logarithm::binary ? std::numbers::log2e : 1.0; }
};

/// soft_zero_one: sigmoid(-d / temperature): the number of wrongly ordered pairs, smoothed. Bounded, not convex.
struct soft_zero_one {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept { return 1.0; }
};

/// hinge: max(0, margin - d). Convex; its curvature is 0 where it has one.
struct hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(margin, 0.0, 1e300), "margin: ", margin, ", expected 0 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return margin > 0.0 ? margin : 1.0; }
};

/// squared_hinge: max(0, margin - d)^2. Convex.
struct squared_hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(margin, 0.0, 1e300), "margin: ", margin, ", expected 0 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return margin > 0.0 ? margin : 1.0; }
};

/// exponential: exp(-d / temperature), of RankBoost. Convex.
struct exponential {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return temperature; }
};

/// squared_difference: (d - gap)^2: differences of scores are to be those of the relevance. Convex.
struct squared_difference {
  void validate() const noexcept {}
  [[nodiscard]] double length() const noexcept { return 1.0; }
};

/// quantile: the pinball function of gap - d: tau (gap - d) where that is positive, (1 - tau) (d - gap) where not. Convex.
struct quantile {
  double tau = 0.5;  ///< 0 to 1: which quantile of the differences of relevance the differences of scores estimate

  void validate() const { detail::require(detail::within(tau, 0.0, 1.0), "tau: ", tau, ", expected 0 to 1"); }
  [[nodiscard]] double length() const noexcept { return 1.0; }
};

}  // namespace rankloss::inline RANKLOSS_ABI::pairs

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/pairs/function.hpp>
#endif
