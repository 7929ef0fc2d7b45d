// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_merge.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/pairs/function.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// pair_function: a function of pairs together with its computation. A function without a specialisation
/// provides these members itself:
///
///     (d, relevance_gap)           its terms, on vectors
///     of_probabilities(probability, less, -d)
///                                  the same for a function made of sigmoids, see by_probabilities
///     kernel                       its sums of exponentials, for pair_scan.hpp
///     hinges(), relevance_shift    its sums of hinges of shifted scores s - relevance_shift * y, for
///                                  pair_merge.hpp
///     float_range                  range of scores, in units of score_scale(), up to which float lanes
///                                  are used
template <class Function>
struct pair_function : Function {};

/// The distance of two scores in units of score_scale(), at most 1e30 in float and 1e290 in double. Its
/// product with a weight of 0 is therefore 0, and its sums are finite.
template <class V>
[[nodiscard]] V pair_distance(const V& d, const V& scale) {
  using S = typename V::value_type;
  return xsimd::min(xsimd::abs(d) * scale, V(static_cast<S>(by_precision<S>(1e30, 1e290))));
}
/// Limits the term of one pair so that sums over all pairs, times any weights below 4, are finite. Float
/// lanes are only used where terms are far below the limit.
template <class V>
[[nodiscard]] V bounded_term(const V& value) {
  using S = typename V::value_type;
  return xsimd::min(value, V(static_cast<S>(by_precision<S>(1e33, 1e290))));
}

template <>
struct pair_function<pairs::logistic> : pairs::logistic {
  static constexpr auto kernel = pair_kernel::logistic;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V distance = pair_distance(d, V(static_cast<S>(1.0 / temperature)));
    const auto right = d > V(S(0));
    const V u = exp_minus(distance);
    const V high = V(S(1)) / (V(S(1)) + u);
    const V low = u * high;
    const V f(static_cast<S>(factor()));
    const V by_x(static_cast<S>(factor() / temperature));
    return {f * (xsimd::select(right, V(S(0)), distance) + minus_log_rest(low)),
            -by_x * xsimd::select(right, low, high),
            by_x * V(static_cast<S>(1.0 / temperature)) * low * high};
  }

  /// The same from the other item's probability sigmoid(-d / temperature), the smaller of both probabilities,
  /// and -d, to the precision of T where it is given.
  template <class T = void, class V>
  [[nodiscard]] pairs::terms<V> of_probabilities(const V& probability, const V& less,
                                                 const V& minus_d) const noexcept {
    using S = typename V::value_type;
    const V f(static_cast<S>(factor()));
    const V by_d(static_cast<S>(factor() / temperature));
    const V wrong = xsimd::max(minus_d * V(static_cast<S>(1.0 / temperature)), V(S(0)));
    using precise = std::conditional_t<std::is_void_v<T>, S, T>;
    return {f * (wrong + minus_log_rest<V, precise>(less)), -by_d * probability,
            by_d * V(static_cast<S>(1.0 / temperature)) * less * (V(S(1)) - less)};
  }
};

template <>
struct pair_function<pairs::soft_zero_one> : pairs::soft_zero_one {
  static constexpr auto kernel = pair_kernel::sigmoid;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const auto right = d > V(S(0));
    const V u = exp_minus(pair_distance(d, scale));
    const V high = V(S(1)) / (V(S(1)) + u);
    const V low = u * high;
    const V bend = scale * scale * low * high * (high - low);
    return {xsimd::select(right, low, high), -scale * low * high, xsimd::select(right, bend, -bend)};
  }

  /// The same from the other item's probability sigmoid(-d / temperature), the smaller of both probabilities,
  /// and -d, to the precision of T where it is given.
  template <class T = void, class V>
  [[nodiscard]] pairs::terms<V> of_probabilities(const V& probability, const V& less,
                                                 const V& minus_d) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const V slope = scale * less * (V(S(1)) - less);
    const V bend = scale * slope * (V(S(1)) - less - less);
    return {probability, -slope, xsimd::select(minus_d < V(S(0)), bend, -bend)};
  }
};

template <>
struct pair_function<pairs::hinge> : pairs::hinge {
  /// The function as a sum of hinges of shifted scores; these are the scores.
  [[nodiscard]] std::array<hinge_sum, 1> hinges() const noexcept { return {{{.margin = margin}}}; }
  static constexpr double relevance_shift = 0.0;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V rest = V(static_cast<S>(margin)) - d;
    return {bounded_term(xsimd::max(rest, V(S(0)))), xsimd::select(rest > V(S(0)), V(S(-1)), V(S(0))),
            V(S(0))};
  }
};

template <>
struct pair_function<pairs::squared_hinge> : pairs::squared_hinge {
  [[nodiscard]] std::array<hinge_sum, 1> hinges() const noexcept {
    return {{{.margin = margin, .power = 2}}};
  }
  static constexpr double relevance_shift = 0.0;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V rest = xsimd::max(V(static_cast<S>(margin)) - d, V(S(0)));
    return {bounded_term(rest * rest), bounded_term(rest + rest) * V(S(-1)),
            xsimd::select(rest > V(S(0)), V(S(2)), V(S(0)))};
  }
};

template <>
struct pair_function<pairs::exponential> : pairs::exponential {
  /// range of scores, in units of score_scale(), up to which float lanes are used
  static constexpr double float_range = 30.0;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V&) const noexcept {
    using S = typename V::value_type;
    const V scale(static_cast<S>(1.0 / temperature));
    const V value = bounded_term(exp_of(-d * scale));
    return {value, -bounded_term(value * scale), bounded_term(bounded_term(value * scale) * scale)};
  }
};

template <>
struct pair_function<pairs::squared_difference> : pairs::squared_difference {
  /// As hinges of the shifted scores s - y: the squares of both signs of their difference, of which one counts 0.
  [[nodiscard]] std::array<hinge_sum, 2> hinges() const noexcept {
    return {{{.power = 2, .counts_kink = true}, {.power = 2, .first_preferred = false}}};
  }
  static constexpr double relevance_shift = 1.0;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V& relevance_gap) const noexcept {
    using S = typename V::value_type;
    const V rest = d - relevance_gap;
    const V size = bounded_term(xsimd::abs(rest));
    return {bounded_term(size * size),
            bounded_term(size + size) * xsimd::select(rest < V(S(0)), V(S(-1)), V(S(1))), V(S(2))};
  }
};

template <>
struct pair_function<pairs::quantile> : pairs::quantile {
  /// As hinges of the shifted scores s - y, with one factor for each sign of their difference.
  [[nodiscard]] std::array<hinge_sum, 2> hinges() const noexcept {
    return {{{.factor = tau}, {.factor = 1.0 - tau, .first_preferred = false}}};
  }
  static constexpr double relevance_shift = 1.0;

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V& d, const V& relevance_gap) const noexcept {
    using S = typename V::value_type;
    const V apart = relevance_gap - d;
    const V rest = xsimd::select(apart < V(S(0)), -bounded_term(-apart), bounded_term(apart));
    const V above(static_cast<S>(tau));
    const V below(static_cast<S>(1.0 - tau));
    const V zero(S(0));
    return {xsimd::max(above * rest, -below * rest),
            xsimd::select(rest > zero, -above, xsimd::select(rest < zero, below, zero)), zero};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
