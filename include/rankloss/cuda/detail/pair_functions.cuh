// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/pairs/function.hpp>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// An item of a pair: what a thread reads of it lies together, so that one load reads it.
template <class S>
struct pair_item;
template <>
struct alignas(16) pair_item<float> {
  float score;
  float exponential;  ///< exp((score - centre) / temperature), where the function asks for it
  float level;        ///< the item of the higher level is the more relevant one
  float weight;
};
template <>
struct pair_item<double> {
  double score;  ///< at most half the largest number
  double level;
  double weight;
};

/// first ? a : b, number by number: a choice between two places puts both of them into memory.
[[nodiscard]] __device__ inline pair_item<float> chosen(bool first, const pair_item<float>& a,
                                                        const pair_item<float>& b) {
  return {first ? a.score : b.score, first ? a.exponential : b.exponential, first ? a.level : b.level,
          first ? a.weight : b.weight};
}
[[nodiscard]] __device__ inline pair_item<double> chosen(bool first, const pair_item<double>& a,
                                                         const pair_item<double>& b) {
  return {first ? a.score : b.score, first ? a.level : b.level, first ? a.weight : b.weight};
}

template <class S>
struct pair_terms {
  S value, slope, curvature;
};

/// device_pair_function: a function of pairs together with its computation in a kernel, by the formulas of
/// cpu/pairs/function.hpp. For other functions there is none.
///
///     of(function)          made on the host
///     in_float              whether float lanes are exact enough for float scores
///     by_exponentials       whether float lanes read pair_item::exponential; their scores are less than
///                           widest_float temperatures apart then
///     (preferred, other, gap)
///                           value, slope and curvature in units of value_factor, slope_factor and bend_factor
template <class Function>
struct device_pair_function;

/// Range of scores in units of score_scale() up to which float lanes are used.
inline constexpr double widest_float = 160.0;

/// log(1 + low / high) for 0 <= low <= high, relative error 2.4e-7: 2 artanh(z), by a polynomial in z^2 that
/// is within 4e-9 of it.
[[nodiscard]] __device__ inline float log1p_of_quotient(float low, float high) {
  const float z = near_quotient(low, fmaf(2.0f, high, low)), square = z * z;
  float sum = fmaf(0.28178334f, square, 0.27960601f);
  sum = fmaf(sum, square, 0.40024909f);
  sum = fmaf(sum, square, 0.66666317f);
  return fmaf(sum * square, z, z + z);
}

[[nodiscard]] __device__ inline double bounded_term(double x) { return fmin(x, 1e290); }
[[nodiscard]] __device__ inline float bounded_term(float x) { return x; }  // float lanes have no such numbers

/// The probabilities of both orders of a pair whose scores differ by d: that of the item with the greater
/// score is `high`. In double from the exponential of the difference, which is right for all scores.
struct order_chances {
  double distance, odds, high;

  __device__ order_chances(double d, double scale)
      : distance(fmin(fabs(d) * scale, 1e290)), odds(exp(-distance)), high(1.0 / (1.0 + odds)) {}
};

template <>
struct device_pair_function<pairs::logistic> {
  static constexpr bool in_float = true;
  static constexpr bool by_exponentials = true;
  double scale, value_factor, slope_factor, bend_factor;

  [[nodiscard]] static device_pair_function of(const pairs::logistic& f) noexcept {
    return {1.0 / f.temperature, f.factor(), f.factor() / f.temperature,
            f.factor() / f.temperature * (1.0 / f.temperature)};
  }
  [[nodiscard]] __device__ pair_terms<float> operator()(const pair_item<float>& i, const pair_item<float>& j,
                                                        float) const {
    const float inverse = near_quotient(1.0f, i.exponential + j.exponential);
    const float wrong = fmaxf((j.score - i.score) * static_cast<float>(scale), 0.0f);
    return {
        wrong + log1p_of_quotient(fminf(i.exponential, j.exponential), fmaxf(i.exponential, j.exponential)),
        -j.exponential * inverse, (i.exponential * inverse) * (j.exponential * inverse)};
  }
  [[nodiscard]] __device__ pair_terms<double> operator()(const pair_item<double>& i,
                                                         const pair_item<double>& j, double) const {
    const double d = i.score - j.score;
    const order_chances of(d, scale);
    const double low = of.odds * of.high;
    return {(d > 0.0 ? 0.0 : of.distance) + log1p(of.odds), -(d > 0.0 ? low : of.high), low * of.high};
  }
};

template <>
struct device_pair_function<pairs::soft_zero_one> {
  static constexpr bool in_float = true;
  static constexpr bool by_exponentials = true;
  static constexpr double value_factor = 1.0;
  double scale, slope_factor, bend_factor;

  [[nodiscard]] static device_pair_function of(const pairs::soft_zero_one& f) noexcept {
    return {1.0 / f.temperature, 1.0 / f.temperature, 1.0 / f.temperature * (1.0 / f.temperature)};
  }
  [[nodiscard]] __device__ pair_terms<float> operator()(const pair_item<float>& i, const pair_item<float>& j,
                                                        float) const {
    const float inverse = near_quotient(1.0f, i.exponential + j.exponential);
    const float own = i.exponential * inverse, other = j.exponential * inverse;
    return {other, -own * other, own * other * (own - other)};
  }
  [[nodiscard]] __device__ pair_terms<double> operator()(const pair_item<double>& i,
                                                         const pair_item<double>& j, double) const {
    const double d = i.score - j.score;
    const order_chances of(d, scale);
    const double low = of.odds * of.high;
    const double slope = low * of.high;
    return {d > 0.0 ? low : of.high, -slope, copysign(slope * (of.high - low), d)};
  }
};

template <>
struct device_pair_function<pairs::hinge> {
  static constexpr bool in_float = true;
  static constexpr bool by_exponentials = false;
  static constexpr double value_factor = 1.0, slope_factor = 1.0, bend_factor = 1.0;
  double margin;

  [[nodiscard]] static device_pair_function of(const pairs::hinge& f) noexcept { return {f.margin}; }
  template <class S>
  [[nodiscard]] __device__ pair_terms<S> operator()(const pair_item<S>& i, const pair_item<S>& j, S) const {
    const S rest = rest_of(exactly<S>(margin), i.score, j.score);
    return rest > S{0} ? pair_terms<S>{bounded_term(rest), S{-1}, S{0}} : pair_terms<S>{};
  }
};

template <>
struct device_pair_function<pairs::squared_hinge> {
  static constexpr bool in_float = true;
  static constexpr bool by_exponentials = false;
  static constexpr double value_factor = 1.0, slope_factor = 1.0, bend_factor = 1.0;
  double margin;

  [[nodiscard]] static device_pair_function of(const pairs::squared_hinge& f) noexcept { return {f.margin}; }
  template <class S>
  [[nodiscard]] __device__ pair_terms<S> operator()(const pair_item<S>& i, const pair_item<S>& j, S) const {
    const S rest = rest_of(exactly<S>(margin), i.score, j.score);
    return rest > S{0} ? pair_terms<S>{bounded_term(rest * rest), -bounded_term(rest + rest), S{2}}
                       : pair_terms<S>{};
  }
};

template <>
struct device_pair_function<pairs::exponential> {
  static constexpr bool in_float = false;
  static constexpr bool by_exponentials = false;
  static constexpr double value_factor = 1.0, slope_factor = 1.0, bend_factor = 1.0;
  double scale;

  [[nodiscard]] static device_pair_function of(const pairs::exponential& f) noexcept {
    return {1.0 / f.temperature};
  }
  [[nodiscard]] __device__ pair_terms<double> operator()(const pair_item<double>& i,
                                                         const pair_item<double>& j, double) const {
    const double value = bounded_term(exp((j.score - i.score) * scale));
    const double slope = bounded_term(value * scale);
    return {value, -slope, bounded_term(slope * scale)};
  }
};

template <>
struct device_pair_function<pairs::squared_difference> {
  static constexpr bool in_float = false;
  static constexpr bool by_exponentials = false;
  static constexpr double value_factor = 1.0, slope_factor = 1.0, bend_factor = 1.0;

  [[nodiscard]] static device_pair_function of(const pairs::squared_difference&) noexcept { return {}; }
  [[nodiscard]] __device__ pair_terms<double> operator()(const pair_item<double>& i,
                                                         const pair_item<double>& j, double gap) const {
    const double rest = (i.score - j.score) - gap;
    const double size = bounded_term(fabs(rest));
    return {bounded_term(size * size), copysign(bounded_term(size + size), rest), 2.0};
  }
};

template <>
struct device_pair_function<pairs::quantile> {
  static constexpr bool in_float = false;
  static constexpr bool by_exponentials = false;
  static constexpr double value_factor = 1.0, slope_factor = 1.0, bend_factor = 1.0;
  double tau;

  [[nodiscard]] static device_pair_function of(const pairs::quantile& f) noexcept { return {f.tau}; }
  [[nodiscard]] __device__ pair_terms<double> operator()(const pair_item<double>& i,
                                                         const pair_item<double>& j, double gap) const {
    const double rest = gap - (i.score - j.score);
    if (rest > 0.0) return {tau * bounded_term(rest), -tau, 0.0};
    if (rest < 0.0) return {(1.0 - tau) * bounded_term(-rest), 1.0 - tau, 0.0};
    return {0.0, 0.0, 0.0};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
