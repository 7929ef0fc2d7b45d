// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/loss.hpp>

/// Losses of one line that are functions of two logarithms of sums of exponentials, one over its positives and one
/// over its negatives, as detail/draws/query_sums.hpp has them. Exponents and sums are doubles, exponentials of T:
/// they are below 1, relative to the greatest of their part.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::largest_term;
using rankloss::detail::limited;
using rankloss::detail::no_exponent;
using rankloss::detail::softplus_of;

/// A score of a matrix or an embedding, as 1e290 where it is beyond that.
template <class T>
[[nodiscard]] __device__ inline double limited_score(T s) {
  return limited(static_cast<double>(s), -largest_term, largest_term);
}
[[nodiscard]] __device__ inline double held_exponent(double x) {
  return limited(x, -largest_term, largest_term);
}
/// exp(x - top) for x <= top.
template <class T>
[[nodiscard]] __device__ inline T exp_below_top(double top, double x) {
  return exp_minus(static_cast<T>(fmin(top - x, 1e4)));
}

/// The positives or the negatives.
struct exponent_part {
  double top;    ///< greatest exponent
  double total;  ///< sum of exp(x - top)

  [[nodiscard]] static __device__ exponent_part none() { return {no_exponent, 0.0}; }
  [[nodiscard]] __device__ bool empty() const { return !(total > 0.0); }
  [[nodiscard]] __device__ double logarithm() const { return empty() ? no_exponent : top + log(total); }
  [[nodiscard]] __device__ double inverse() const { return empty() ? 0.0 : 1.0 / total; }
  [[nodiscard]] __device__ exponent_part merged_with(const exponent_part& other) const {
    const double high = fmax(top, other.top);
    return {high, exp_minus(high - top) * total + exp_minus(high - other.top) * other.total};
  }
};
struct exponent_sums {
  exponent_part positives, negatives;
  double matches;  ///< positives, also those without an exponent

  [[nodiscard]] static __device__ exponent_sums none() {
    return {exponent_part::none(), exponent_part::none(), 0.0};
  }
  [[nodiscard]] __device__ bool has_positives() const { return matches > 0.0; }
  [[nodiscard]] __device__ exponent_sums merged_with(const exponent_sums& other) const {
    return {positives.merged_with(other.positives), negatives.merged_with(other.negatives),
            matches + other.matches};
  }
  /// negatives - positives, without the rounding of their sizes; no_exponent where one of them is empty.
  [[nodiscard]] __device__ double log_odds() const {
    if (positives.empty() || negatives.empty()) return no_exponent;
    return (negatives.top - positives.top) + log(negatives.total / positives.total);
  }
};

/// The sums of a segment. exponent(s, positive) is no_exponent for an item that does not count.
template <class T, class Segment, class Exponent>
[[nodiscard]] __device__ inline exponent_sums sum_exponents(const Segment& segment, Exponent exponent) {
  exponent_sums sums = exponent_sums::none();
  for (unsigned k = 0; k < segment.size(); ++k) {
    const pair_kind kind = segment.kind(k);
    if (kind == pair_kind::none) continue;
    const bool positive = kind == pair_kind::positive;
    if (positive) sums.matches += 1.0;
    double& top = positive ? sums.positives.top : sums.negatives.top;
    top = fmax(top, exponent(limited_score(segment.score(k)), positive));
  }
  for (unsigned k = 0; k < segment.size(); ++k) {
    const pair_kind kind = segment.kind(k);
    if (kind == pair_kind::none) continue;
    const bool positive = kind == pair_kind::positive;
    const double x = exponent(limited_score(segment.score(k)), positive);
    if (!(x > 0.5 * no_exponent)) continue;
    exponent_part& part = positive ? sums.positives : sums.negatives;
    part.total += static_cast<double>(exp_below_top<T>(part.top, x));
  }
  return sums;
}

/// What such a loss is: its value, and its derivatives by the two logarithms.
struct exponent_outcome {
  double value, by_positives, by_negatives;
};

/// What the slopes of items need: multiple * exp(x - top) times the derivative of x.
struct exponent_slope {
  double positive_top, positive_multiple;
  double negative_top, negative_multiple;

  [[nodiscard]] static __device__ exponent_slope of(const exponent_sums& sums,
                                                    const exponent_outcome& outcome, double share) {
    return {sums.positives.top, held_as<double>(share * (outcome.by_positives * sums.positives.inverse())),
            sums.negatives.top, held_as<double>(share * (outcome.by_negatives * sums.negatives.inverse()))};
  }
  /// @param slope  the derivative of the exponent x
  template <class T>
  [[nodiscard]] __device__ T of_item(double x, double slope, bool positive) const {
    const double e = static_cast<double>(exp_below_top<T>(positive ? positive_top : negative_top, x));
    return held_as<T>((positive ? positive_multiple : negative_multiple) * e * slope);
  }
};

/// The lines of a loss of which all pairs count. `Form` is made from the loss and has
///
///     exponent(s, positive), slope(s, positive)
///                    the exponent of an item, and its derivative
///     steepest_up_to(x)
///                    not below the derivative, of either sign, of any exponent up to x
///     outcome(sums)  what the loss is
template <class T, class Form>
struct exponent_lines {
  using first = exponent_sums;
  using second = no_sums;
  using slope = exponent_slope;

  Form form;
  bool looks_twice;

  template <class Loss>
  [[nodiscard]] static exponent_lines of(const Loss& loss, bool, bool) {
    return {.form = Form{loss}, .looks_twice = false};
  }
  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    return sum_exponents<T>(segment, [&](double s, bool positive) { return form.exponent(s, positive); });
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const { return a.merged_with(b); }
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second*, double share,
                                               slope& to) const {
    const exponent_outcome outcome = form.outcome(sums);
    to = slope::of(sums, outcome, share);
    return {.value = fmin(outcome.value, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T score, bool positive) const {
    const double s = limited_score(score);
    return of.template of_item<T>(form.exponent(s, positive), form.slope(s, positive), positive);
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(fabs(of.positive_multiple) * form.steepest_up_to(of.positive_top),
                fabs(of.negative_multiple) * form.steepest_up_to(of.negative_top));
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
