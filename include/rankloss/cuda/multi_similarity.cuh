// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponent_lines.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/multi_similarity.hpp>

#include <algorithm>
#include <cmath>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exponents of multi_similarity, by the formulas of cpu/multi_similarity.hpp.
template <class T>
struct multi_similarity_form {
  using number_type = exact_number<T>;

  number_type alpha, beta, base;
  double least_factor, greatest_factor, base_size;

  explicit multi_similarity_form(const multi_similarity& loss)
      : alpha(number<number_type>(loss.alpha)),
        beta(number<number_type>(loss.beta)),
        base(number<number_type>(loss.base)),
        least_factor(std::min(loss.alpha, loss.beta)),
        greatest_factor(std::max(loss.alpha, loss.beta)),
        base_size(std::abs(loss.base)) {}

  [[nodiscard]] __device__ number_type exponent(const number_type& s, bool positive) const {
    return positive ? alpha * (base - s) : beta * (s - base);
  }
  /// The exponents' slopes are -alpha and beta, which the factors 1 / alpha and 1 / beta take away.
  [[nodiscard]] __device__ T slope(const number_type&, bool positive) const {
    return positive ? T{-1} : T{1};
  }
  [[nodiscard]] double reach() const {
    return least_factor < least_narrow_factor ? -1.0 : narrow_exponent / greatest_factor - base_size;
  }
};

/// multi_similarity of one line. Where only hard pairs count, the first look finds the hardest and the second
/// one sums up.
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
    exponent_slope<T> all;
    T below, above;
  };

  multi_similarity loss;
  exponents_of<T, multi_similarity_form> exponents;
  bool looks_twice;

  [[nodiscard]] static multi_similarity_lines of(const multi_similarity& loss, bool, bool) {
    return {.loss = loss,
            .exponents = exponents_of<T, multi_similarity_form>(loss),
            .looks_twice = loss.epsilon < every_pair};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first found = first::none();
    if (!looks_twice) {
      found.sums = exponents.sum_up(segment, [](const auto&, bool) { return true; });
      return found;
    }
    T lowest = greatest_number<T>, greatest = lowest_number<T>;
    unsigned positives = 0, negatives = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const T s = segment.score(k);
      if (kind == pair_kind::positive) {
        ++positives;
        lowest = s < lowest ? s : lowest;
      } else {
        ++negatives;
        greatest = greatest < s ? s : greatest;
      }
    }
    found.sums.matches = static_cast<double>(positives);
    if (positives > 0) found.least_positive = limited_score(lowest);
    if (negatives > 0) found.greatest_negative = limited_score(greatest);
    return found;
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return {a.sums.template merged_with<T>(b.sums), fmin(a.least_positive, b.least_positive),
            fmax(a.greatest_negative, b.greatest_negative)};
  }
  template <class Segment>
  [[nodiscard]] __device__ second sum_up(const Segment& segment, const first& known) const {
    if (!has_both(known)) return second::none();
    return exponents.sum_up(segment,
                            [below = below(known), above = above(known)](const auto& s, bool positive) {
                              return is_hard(below, above, s, positive);
                            });
  }
  [[nodiscard]] __device__ second merge(const second& a, const second& b) const {
    return a.template merged_with<T>(b);
  }

  /// @param seen  null where every pair counts
  [[nodiscard]] __device__ line_outcome finish(const first& known, const second* seen, double share,
                                               slope& to) const {
    const exponent_sums& sums = seen != nullptr ? *seen : known.sums;
    const softplus_of positives(sums.positives.logarithm()), negatives(sums.negatives.logarithm());
    to.all = exponent_slope<T>::of(sums, {0.0, positives.slope, negatives.slope}, share);
    to.below = below(known);
    to.above = above(known);
    return {.value = fmin(positives.value / loss.alpha + negatives.value / loss.beta, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T score, bool positive) const {
    T s = score;
    if constexpr (sizeof(T) == sizeof(double)) s = limited_score(score);
    if (looks_twice && !is_hard(of.below, of.above, s, positive)) return T{0};
    return exponents.slope_of(of.all, score, positive);
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return static_cast<double>(
        rankloss::detail::larger(fabs(of.all.positive_multiple), fabs(of.all.negative_multiple)));
  }

 private:
  static constexpr double every_pair = 1e300;  ///< the epsilon for which no pair is left out
  static constexpr double largest_number = 1e300;

  [[nodiscard]] static __device__ bool has_both(const first& known) {
    return known.least_positive < largest_number && known.greatest_negative > -largest_number;
  }
  /// The least T that is not epsilon from the hardest negative, and the greatest that is not so from the hardest positive:
  /// no score is between. A small epsilon is lost in a sum, so the difference decides between neighbouring numbers.
  [[nodiscard]] __device__ T below(const first& known) const {
    const double bound = known.greatest_negative + loss.epsilon;
    T least = static_cast<T>(bound);
    if constexpr (sizeof(T) == sizeof(float)) least = __double2float_ru(bound);
    return static_cast<double>(least) - known.greatest_negative < loss.epsilon
               ? nextafter(least, greatest_number<T>)
               : least;
  }
  [[nodiscard]] __device__ T above(const first& known) const {
    const double bound = known.least_positive - loss.epsilon;
    T most = static_cast<T>(bound);
    if constexpr (sizeof(T) == sizeof(float)) most = __double2float_rd(bound);
    return known.least_positive - static_cast<double>(most) < loss.epsilon ? nextafter(most, lowest_number<T>)
                                                                           : most;
  }
  template <class X>
  [[nodiscard]] static __device__ bool is_hard(T below, T above, X s, bool positive) {
    return positive ? s < static_cast<X>(below) : s > static_cast<X>(above);
  }
};

}  // namespace cuda::detail

template <>
struct engine<multi_similarity, cuda::context>
    : cuda::detail::line_engine<multi_similarity, cuda::detail::multi_similarity_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
