// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/multi_similarity.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// multi_similarity of one line, by the formulas of cpu/multi_similarity.hpp. Where only hard pairs count, the
/// first look finds the hardest and the second one sums up.
template <class T>
struct multi_similarity_lines {
  struct first {
    exponent_sums sums;
    double least_positive, greatest_negative;  ///< where only hard pairs count

    [[nodiscard]] static __device__ first none() {
      return {exponent_sums::none(), largest_number, -largest_number};
    }
    [[nodiscard]] __device__ bool has_positives() const { return sums.has_positives(); }
  };
  using second = exponent_sums;
  /// Positives from `below` on and negatives up to `above` are not hard.
  struct slope {
    exponent_slope all;
    double below, above;
  };

  multi_similarity loss;
  bool looks_twice;

  [[nodiscard]] static multi_similarity_lines of(const multi_similarity& loss, bool, bool) {
    return {.loss = loss, .looks_twice = loss.epsilon < every_pair};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first found = first::none();
    if (!looks_twice) {
      found.sums = sum_exponents<T>(segment, [&](double s, bool positive) { return exponent(s, positive); });
      return found;
    }
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const double s = limited_score(segment.score(k));
      if (kind == pair_kind::positive) {
        found.sums.matches += 1.0;
        found.least_positive = fmin(found.least_positive, s);
      } else {
        found.greatest_negative = fmax(found.greatest_negative, s);
      }
    }
    return found;
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return {a.sums.merged_with(b.sums), fmin(a.least_positive, b.least_positive),
            fmax(a.greatest_negative, b.greatest_negative)};
  }
  template <class Segment>
  [[nodiscard]] __device__ second sum_up(const Segment& segment, const first& known) const {
    if (!has_both(known)) return second::none();
    return sum_exponents<T>(segment, [&](double s, bool positive) {
      return is_hard(below(known), above(known), s, positive) ? exponent(s, positive) : no_exponent;
    });
  }
  [[nodiscard]] __device__ second merge(const second& a, const second& b) const { return a.merged_with(b); }

  /// @param seen  null where every pair counts
  [[nodiscard]] __device__ line_outcome finish(const first& known, const second* seen, double share,
                                               slope& to) const {
    const exponent_sums& sums = seen != nullptr ? *seen : known.sums;
    const softplus_of positives(sums.positives.logarithm()), negatives(sums.negatives.logarithm());
    to.all = exponent_slope::of(sums, {0.0, positives.slope, negatives.slope}, share);
    to.below = below(known);
    to.above = above(known);
    return {.value = fmin(positives.value / loss.alpha + negatives.value / loss.beta, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T score, bool positive) const {
    const double s = limited_score(score);
    if (looks_twice && !is_hard(of.below, of.above, s, positive)) return T{0};
    // The exponents' slopes are -alpha and beta, which the factors 1 / alpha and 1 / beta take away.
    return of.all.template of_item<T>(exponent(s, positive), positive ? -1.0 : 1.0, positive);
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(fabs(of.all.positive_multiple), fabs(of.all.negative_multiple));
  }

 private:
  static constexpr double every_pair = 1e300;  ///< the epsilon for which no pair is left out
  static constexpr double largest_number = 1e300;

  [[nodiscard]] __device__ double exponent(double s, bool positive) const {
    return held_exponent(positive ? loss.alpha * (loss.base - s) : loss.beta * (s - loss.base));
  }
  [[nodiscard]] static __device__ bool has_both(const first& known) {
    return known.least_positive < largest_number && known.greatest_negative > -largest_number;
  }
  [[nodiscard]] __device__ double below(const first& known) const {
    return known.greatest_negative + loss.epsilon;
  }
  [[nodiscard]] __device__ double above(const first& known) const {
    return known.least_positive - loss.epsilon;
  }
  [[nodiscard]] static __device__ bool is_hard(double below, double above, double s, bool positive) {
    return positive ? s < below : s > above;
  }
};

}  // namespace cuda::detail

template <>
struct engine<multi_similarity, cuda::context>
    : cuda::detail::line_engine<multi_similarity, cuda::detail::multi_similarity_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
