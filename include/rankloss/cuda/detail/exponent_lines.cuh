// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>

/// Losses of one line that are functions of two logarithms of sums of exponentials, one over its positives
/// and one over its negatives, as detail/draws/query_sums.hpp has them. Exponents are of exact_number<T>, as
/// their differences need the digits; exponentials, relative to the greatest exponent of their part, are of
/// T, and sums of segments are doubles. Where exponents of floats may be too large for two floats they are
/// doubles, too.
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
/// Exponents up to this are exact to 1e-7 in two floats.
inline constexpr double narrow_exponent = 1e6;
/// Of scores up to the greatest and of factors from the least on, exponents of floats are far from the ends
/// of the type.
inline constexpr double greatest_narrow_score = 1e15, least_narrow_factor = 1e-20;

/// The positives or the negatives.
struct exponent_part {
  double top;    ///< greatest exponent
  double total;  ///< sum of exp(x - top)

  [[nodiscard]] static __device__ exponent_part none() { return {no_exponent, 0.0}; }
  [[nodiscard]] __device__ bool empty() const { return !(total > 0.0); }
  [[nodiscard]] __device__ double logarithm() const { return empty() ? no_exponent : top + log(total); }
  [[nodiscard]] __device__ double inverse() const { return empty() ? 0.0 : 1.0 / total; }
  template <class T>
  [[nodiscard]] __device__ exponent_part merged_with(const exponent_part& other) const {
    const double high = fmax(top, other.top);
    return {high, share_below<T>(high - top) * total + share_below<T>(high - other.top) * other.total};
  }
};
struct exponent_sums {
  exponent_part positives, negatives;
  double matches;  ///< positives, also those without an exponent

  [[nodiscard]] static __device__ exponent_sums none() {
    return {exponent_part::none(), exponent_part::none(), 0.0};
  }
  [[nodiscard]] __device__ bool has_positives() const { return matches > 0.0; }
  template <class T>
  [[nodiscard]] __device__ exponent_sums merged_with(const exponent_sums& other) const {
    return {positives.merged_with<T>(other.positives), negatives.merged_with<T>(other.negatives),
            matches + other.matches};
  }
  /// negatives - positives, without the rounding of their sizes; no_exponent where one of them is empty.
  [[nodiscard]] __device__ double log_odds() const {
    if (positives.empty() || negatives.empty()) return no_exponent;
    return (negatives.top - positives.top) + log(negatives.total / positives.total);
  }
};

/// The sums of a segment, of exponents of doubles. exponent(s, positive) is no_exponent for an item that does
/// not count.
template <class T, class Segment, class Exponent>
[[nodiscard]] __device__ inline exponent_sums sum_wide_exponents(const Segment& segment, Exponent exponent) {
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
    part.total += share_below<T>(part.top - x);
  }
  return sums;
}

/// The same of exponents of two floats, of items whose scores are at most `reach` in size; `sums` are left
/// alone where one of them is not. counts(s, positive) says whether an item counts. Tops are rounded to
/// floats, so they may be below the greatest exponent by its rounding.
template <class Segment, class Exponent, class Counts>
[[nodiscard]] __device__ inline bool sum_narrow_exponents(const Segment& segment, float reach,
                                                          Exponent exponent, Counts counts,
                                                          exponent_sums& sums) {
  float positive_top = lowest_number<float>, negative_top = lowest_number<float>;
  unsigned matches = 0;
  for (unsigned k = 0; k < segment.size(); ++k) {
    const pair_kind kind = segment.kind(k);
    if (kind == pair_kind::none) continue;
    const float s = segment.score(k);
    if (!(fabsf(s) <= reach)) return false;
    const bool positive = kind == pair_kind::positive;
    if (positive) ++matches;
    if (!counts(s, positive)) continue;
    const float x = rounded(exponent(two_floats{s, 0.0f}, positive));
    if (positive)
      positive_top = fmaxf(positive_top, x);
    else
      negative_top = fmaxf(negative_top, x);
  }
  float positive_total = 0.0f, negative_total = 0.0f;
  for (unsigned k = 0; k < segment.size(); ++k) {
    const pair_kind kind = segment.kind(k);
    if (kind == pair_kind::none) continue;
    const float s = segment.score(k);
    const bool positive = kind == pair_kind::positive;
    if (!counts(s, positive)) continue;
    const float top = positive ? positive_top : negative_top;
    const float e = exp_of(rounded(exponent(two_floats{s, 0.0f}, positive) - two_floats{top, 0.0f}));
    if (positive)
      positive_total += e;
    else
      negative_total += e;
  }
  sums.matches = static_cast<double>(matches);
  if (positive_total > 0.0f)
    sums.positives = {static_cast<double>(positive_top), static_cast<double>(positive_total)};
  if (negative_total > 0.0f)
    sums.negatives = {static_cast<double>(negative_top), static_cast<double>(negative_total)};
  return true;
}

/// What such a loss is: its value, and its derivatives by the two logarithms.
struct exponent_outcome {
  double value, by_positives, by_negatives;
};

/// What the slopes of items need: multiple * exp(x - top) times the derivative of x.
template <class T>
struct exponent_slope {
  double positive_top, negative_top;
  T positive_multiple, negative_multiple;

  [[nodiscard]] static __device__ exponent_slope of(const exponent_sums& sums,
                                                    const exponent_outcome& outcome, double share) {
    const auto multiple = [&](const exponent_part& part, double by_part) {
      return held_as<T>(share * (by_part * part.inverse()));
    };
    return {sums.positives.top, sums.negatives.top, multiple(sums.positives, outcome.by_positives),
            multiple(sums.negatives, outcome.by_negatives)};
  }
  /// @param slope  the derivative of the exponent x
  [[nodiscard]] __device__ T of_item(double x, double slope, bool positive) const {
    const double e = share_below<T>((positive ? positive_top : negative_top) - x);
    return held_as<T>(static_cast<double>(positive ? positive_multiple : negative_multiple) * e * slope);
  }
};

/// The exponents of a loss in numbers of T, and of doubles where those of floats are too large. `Form<T>` is
/// made from the loss and has
///
///     exponent(s, positive), slope(s, positive)
///                    the exponent of an item, and its derivative, of exact_number<T>; the derivative of T
///     reach()        of Form<float>, on the host: up to which size of scores no exponent exceeds narrow_exponent
template <class T, template <class> class Form>
struct exponents_of {
  Form<double> wide;

  template <class Loss>
  explicit exponents_of(const Loss& loss) : wide(loss) {}

  template <class Segment, class Counts>
  [[nodiscard]] __device__ exponent_sums sum_up(const Segment& segment, Counts counts) const {
    return sum_wide_exponents<T>(segment, [&](double s, bool positive) {
      return counts(s, positive) ? held_exponent(wide.exponent(s, positive)) : no_exponent;
    });
  }
  [[nodiscard]] __device__ T slope_of(const exponent_slope<T>& of, T score, bool positive) const {
    const double s = limited_score(score);
    return of.of_item(held_exponent(wide.exponent(s, positive)), wide.slope(s, positive), positive);
  }
};
template <template <class> class Form>
struct exponents_of<float, Form> {
  Form<float> narrow;
  Form<double> wide;
  float reach;

  template <class Loss>
  explicit exponents_of(const Loss& loss)
      : narrow(loss), wide(loss), reach(held_as<float>(std::min(narrow.reach(), greatest_narrow_score))) {}

  template <class Segment, class Counts>
  [[nodiscard]] __device__ exponent_sums sum_up(const Segment& segment, Counts counts) const {
    exponent_sums sums = exponent_sums::none();
    const auto exponent = [&](const two_floats& s, bool positive) { return narrow.exponent(s, positive); };
    if (sum_narrow_exponents(segment, reach, exponent, counts, sums)) return sums;
    return sum_wide_exponents<float>(segment, [&](double s, bool positive) {
      return counts(s, positive) ? held_exponent(wide.exponent(s, positive)) : no_exponent;
    });
  }
  [[nodiscard]] __device__ float slope_of(const exponent_slope<float>& of, float score, bool positive) const {
    const double top = positive ? of.positive_top : of.negative_top;
    const auto near_top = static_cast<float>(top);
    // A top of doubles is not rounded.
    if (fabsf(score) <= reach && static_cast<double>(near_top) == top) {
      const two_floats s{score, 0.0f};
      const float e = exp_of(rounded(narrow.exponent(s, positive) - two_floats{near_top, 0.0f}));
      return bounded((positive ? of.positive_multiple : of.negative_multiple) *
                     (e * narrow.slope(s, positive)));
    }
    const double s = static_cast<double>(score);
    return of.of_item(held_exponent(wide.exponent(s, positive)), wide.slope(s, positive), positive);
  }
};

/// The lines of a loss of which all pairs count. `Form<T>` is made from the loss and has, besides what
/// exponents_of asks for,
///
///     steepest_up_to(x)
///                    not below the derivative, of either sign, of any exponent up to x
///     outcome(sums)  what the loss is
template <class T, template <class> class Form>
struct exponent_lines {
  using first = exponent_sums;
  using second = no_sums;
  using slope = exponent_slope<T>;

  exponents_of<T, Form> exponents;
  bool looks_twice;

  template <class Loss>
  [[nodiscard]] static exponent_lines of(const Loss& loss, bool, bool) {
    return {.exponents = exponents_of<T, Form>(loss), .looks_twice = false};
  }
  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    return exponents.sum_up(segment, [](const auto&, bool) { return true; });
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return a.template merged_with<T>(b);
  }
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second*, double share,
                                               slope& to) const {
    const exponent_outcome outcome = exponents.wide.outcome(sums);
    to = slope::of(sums, outcome, share);
    return {.value = fmin(outcome.value, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T score, bool positive) const {
    return exponents.slope_of(of, score, positive);
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(
        fabs(static_cast<double>(of.positive_multiple)) * exponents.wide.steepest_up_to(of.positive_top),
        fabs(static_cast<double>(of.negative_multiple)) * exponents.wide.steepest_up_to(of.negative_top));
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
