// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_merge.hpp>
#include <rankloss/detail/simd/lane_math.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

/// Functions of a pair, which `pairwise` sums over the pairs in which one item is more relevant than the
/// other (the winner and the loser of the pair).
///
/// Each is called with vectors of d = s_winner - s_loser and gap = y_winner - y_loser >= 0, and returns its
/// value and its first two derivatives by d. At the kinks of hinge, squared_hinge and quantile the slope is
/// 0, which is a subgradient. A value or a derivative of a pair beyond 1e290 counts as 1e290.
namespace rankloss::inline RANKLOSS_ABI::pairs {

/// The value of a function and its derivatives by the difference of scores.
template <class V>
struct terms {
  V value, slope, curvature;
};

/// The base of a logarithm.
enum class logarithm {
  natural,  ///< in nats
  binary,   ///< in bits, as in the code of the LambdaLoss papers
};

namespace detail {

inline void check_length(const char* field, double value) {
  rankloss::detail::require(rankloss::detail::within(value, 1e-15, 1e300), field, ": ", value, ", expected 1e-15 to 1e300");
}
/// A distance of scores in lengths, at most 1e30 in float and 1e290 in double, so that its product with a
/// weight of 0 is 0, and sums of it are finite.
template <class V>
[[nodiscard]] V distance_of(const V& d, const V& scale) {
  using S = typename V::value_type;
  return xsimd::min(xsimd::abs(d) * scale, V(sizeof(S) == 4 ? S(1e30F) : S(1e290)));
}
/// The largest number of one pair for which sums over all pairs, times weights below 4, are finite. Float is
/// used only where nothing comes near it.
template <class V>
[[nodiscard]] V finite(const V& value) {
  using S = typename V::value_type;
  return xsimd::min(value, V(sizeof(S) == 4 ? S(1e33F) : S(1e290)));
}

}  // namespace detail

/// logistic: log(1 + exp(-d / temperature)), used by RankNet and the LambdaLoss family. Convex; slope in (-1,
/// 0) / temperature.
struct logistic {
  double temperature = 1.0;                           ///< 1e-15 to 1e300, in units of the scores
  pairs::logarithm unit = pairs::logarithm::natural;  ///< of the value, and thereby of the gradient

  void validate() const { detail::check_length("temperature", temperature); }
  [[nodiscard]] double length() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept { return unit == pairs::logarithm::binary ? std::numbers::log2e : 1.0; }
  static constexpr auto kernel = rankloss::detail::pair_kernel::logistic;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V distance = detail::distance_of(d, V(static_cast<S>(1.0 / temperature)));
    const auto right = d > V(S(0));
    const V u = rankloss::detail::exp_minus(distance);
    const V high = V(S(1)) / (V(S(1)) + u);
    const V low = u * high;
    const V f(static_cast<S>(factor()));
    const V by_x(static_cast<S>(factor() / temperature));
    return {f * (xsimd::select(right, V(S(0)), distance) + rankloss::detail::minus_log_rest(low)), -by_x * xsimd::select(right, low, high),
            by_x * V(static_cast<S>(1.0 / temperature)) * low * high};
  }

  /// The same from the loser's share sigmoid(-d / temperature), the smaller of both shares, and -d.
  template <class V>
  [[nodiscard]] terms<V> of_shares(const V& share, const V& less, const V& minus_d) const noexcept {
    using S = typename V::value_type;
    const V f(static_cast<S>(factor()));
    const V by_d(static_cast<S>(factor() / temperature));
    const V wrong = xsimd::max(minus_d * V(static_cast<S>(1.0 / temperature)), V(S(0)));
    return {f * (wrong + rankloss::detail::minus_log_rest(less)), -by_d * share,
            by_d * V(static_cast<S>(1.0 / temperature)) * less * (V(S(1)) - less)};
  }
};

/// soft_zero_one: sigmoid(-d / temperature), a smooth form of the number of pairs in the wrong order.
/// Bounded, not convex.
struct soft_zero_one {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::check_length("temperature", temperature); }
  [[nodiscard]] double length() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept { return 1.0; }
  static constexpr auto kernel = rankloss::detail::pair_kernel::sigmoid;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const auto right = d > V(S(0));
    const V u = rankloss::detail::exp_minus(detail::distance_of(d, scale));
    const V high = V(S(1)) / (V(S(1)) + u);
    const V low = u * high;
    const V bend = scale * scale * low * high * (high - low);
    return {xsimd::select(right, low, high), -scale * low * high, xsimd::select(right, bend, -bend)};
  }

  /// The same from the loser's share sigmoid(-d / temperature), the smaller of both shares, and -d.
  template <class V>
  [[nodiscard]] terms<V> of_shares(const V& share, const V& less, const V& minus_d) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const V slope = scale * less * (V(S(1)) - less);
    const V bend = scale * slope * (V(S(1)) - less - less);
    return {share, -slope, xsimd::select(minus_d < V(S(0)), bend, -bend)};
  }
};

/// hinge: max(0, margin - d). Convex; the second derivative is 0 wherever it exists.
struct hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  void validate() const { rankloss::detail::require(rankloss::detail::within(margin, 0.0, 1e300), "margin: ", margin, ", expected 0 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return margin > 0.0 ? margin : 1.0; }

  /// The function as a sum of hinges of places; the places are the scores.
  [[nodiscard]] std::array<rankloss::detail::hinge_sum, 1> hinges() const noexcept { return {{{.margin = margin}}}; }
  static constexpr double relevance_shift = 0.0;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V rest = V(static_cast<S>(margin)) - d;
    return {detail::finite(xsimd::max(rest, V(S(0)))), xsimd::select(rest > V(S(0)), V(S(-1)), V(S(0))), V(S(0))};
  }
};

/// squared_hinge: max(0, margin - d)^2. Convex.
struct squared_hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  void validate() const { rankloss::detail::require(rankloss::detail::within(margin, 0.0, 1e300), "margin: ", margin, ", expected 0 to 1e300"); }
  [[nodiscard]] double length() const noexcept { return margin > 0.0 ? margin : 1.0; }

  [[nodiscard]] std::array<rankloss::detail::hinge_sum, 1> hinges() const noexcept { return {{{.margin = margin, .power = 2}}}; }
  static constexpr double relevance_shift = 0.0;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V rest = xsimd::max(V(static_cast<S>(margin)) - d, V(S(0)));
    return {detail::finite(rest * rest), detail::finite(rest + rest) * V(S(-1)), xsimd::select(rest > V(S(0)), V(S(2)), V(S(0)))};
  }
};

/// exponential: exp(-d / temperature), of RankBoost. Convex.
struct exponential {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::check_length("temperature", temperature); }
  [[nodiscard]] double length() const noexcept { return temperature; }
  static constexpr double float_range = 30.0;  ///< the range of scores, in lengths, for lanes of float

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const V value = detail::finite(rankloss::detail::exp_of(-d * scale));
    return {value, -detail::finite(value * scale), detail::finite(detail::finite(value * scale) * scale)};
  }
};

/// squared_difference: (d - gap)^2, which is least where differences of scores equal those of the relevance.
/// Convex.
struct squared_difference {
  void validate() const noexcept {}
  [[nodiscard]] double length() const noexcept { return 1.0; }

  /// As hinges of the places s - y: the squares of both signs of their difference.
  [[nodiscard]] std::array<rankloss::detail::hinge_sum, 2> hinges() const noexcept { return {{{.power = 2}, {.power = 2, .first_wins = false}}}; }
  static constexpr double relevance_shift = 1.0;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V& gap) const noexcept {
    using S = typename V::value_type;
    const V rest = d - gap;
    const V size = detail::finite(xsimd::abs(rest));
    return {detail::finite(size * size), detail::finite(size + size) * xsimd::select(rest < V(S(0)), V(S(-1)), V(S(1))), V(S(2))};
  }
};

/// quantile: the pinball function of gap - d: tau (gap - d) if that is positive, (1 - tau) (d - gap) if not.
/// Convex.
struct quantile {
  double tau = 0.5;  ///< 0 to 1: the quantile of the relevance differences that is estimated

  void validate() const { rankloss::detail::require(rankloss::detail::within(tau, 0.0, 1.0), "tau: ", tau, ", expected 0 to 1"); }
  [[nodiscard]] double length() const noexcept { return 1.0; }

  /// As hinges of the places s - y, with one factor for each sign of their difference.
  [[nodiscard]] std::array<rankloss::detail::hinge_sum, 2> hinges() const noexcept {
    return {{{.factor = tau}, {.factor = 1.0 - tau, .first_wins = false}}};
  }
  static constexpr double relevance_shift = 1.0;

  template <class V>
  [[nodiscard]] terms<V> operator()(const V& d, const V& gap) const noexcept {
    using S = typename V::value_type;
    const V apart = gap - d;
    const V rest = xsimd::select(apart < V(S(0)), -detail::finite(-apart), detail::finite(apart));
    const V above(static_cast<S>(tau));
    const V below(static_cast<S>(1.0 - tau));
    const V zero(S(0));
    return {xsimd::max(above * rest, -below * rest), xsimd::select(rest > zero, -above, xsimd::select(rest < zero, below, zero)), zero};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::pairs
