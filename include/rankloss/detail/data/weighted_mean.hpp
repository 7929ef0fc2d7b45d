// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The power of two that brings a number > 0 near 1 and, like its inverse, is a normal number whatever the
/// number is; 1 for other numbers.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double unit_of(double largest) noexcept {
  const double hidden = opaque(largest);
  const std::uint64_t exponent = size_bits(hidden) >> 52;  // biased by 1023
  if (!is_finite(hidden) || !(largest > 0.0)) return 1.0;
  return __builtin_bit_cast(double, (exponent < 1 ? 2045 : exponent > 2045 ? 1 : 2046 - exponent) << 52);
}

/// Weight k, which is 1 where no weights are given.
[[nodiscard]] inline double weight_of(const reals& weights, std::size_t k) {
  return weights.empty() ? 1.0 : weights[k];
}

/// Weighted means of lists, pairs, steps and items: turns weights into shares, and shares into a value.
///
///     value = scale * sum_k w_k x_k / sum_k w_k,      share(w_k) = scale * w_k / sum_k w_k
///
/// (reduction::sum: without the divisions.)
///
/// - Weights are numbers >= 0 of any size. They are scaled by the power of two that brings the greatest of
///   them near 1, which is exact: no sum of weights overflows, no inverse of a sum is infinite, and weights
///   of 1 do not change.
/// - What does not count, such as a list without relevance under reduction::mean_of_relevant, has weight 0.
/// - Edge cases: if the weights sum to 0, every share and the value are 0. A result beyond the range of a
///   double is replaced by the largest finite number.
class weighted_mean {
 public:
  /// All `count` elements have weight 1.
  weighted_mean(std::size_t count, reduction how, double scale = 1.0) noexcept : weighted_mean(how, scale) {
    divide_by(static_cast<double>(count));
  }

  /// Element k < count has weight(k).
  template <class Weight>
  weighted_mean(std::size_t count, Weight weight, reduction how, double scale = 1.0)
      : weighted_mean(how, scale) {
    double most = 0.0;
    for (std::size_t k = 0; k < count; ++k) most = std::max(most, weight(k));
    unit_ = unit_of(most);
    double total = 0.0;
    for (std::size_t k = 0; k < count; ++k) total += scaled(weight(k));
    divide_by(total);
  }

  /// A weight in units in which the greatest is below 4. Sums of such weights times numbers up to 1e290 are
  /// finite. Hidden, since a compiler that may reorder would sum weights and scale the sum.
  [[nodiscard]] double scaled(double weight) const noexcept { return opaque(weight * unit_); }
  /// The factor that turns a sum of scaled weights times numbers into the value; times the scale of the
  /// outputs that which turns one of derivatives into a gradient.
  [[nodiscard]] double factor(double scale = 1.0) const noexcept {
    return held(scale * held(summed_ ? scale_ / unit_ : scale_));
  }
  /// The factor of one element's number in the value.
  [[nodiscard]] double share(double weight) const noexcept {
    return held((summed_ ? weight : scaled(weight)) * scale_);
  }

  /// The value of x(k) with weight(k) for k < count; the weights are those of the constructor. It is infinite
  /// where an x of weight > 0 is infinite.
  template <class Weight, class X>
  [[nodiscard]] double operator()(std::size_t count, Weight weight, X x) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < count; ++k) sum += (summed_ ? weight(k) : scaled(weight(k))) * x(k);
    const double value = sum * scale_;
    if (is_finite(opaque(value))) return value;
    sum = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
      if (!(weight(k) > 0.0)) continue;
      if (!is_finite(opaque(x(k)))) return scale_ < 0.0 ? -x(k) : scale_ > 0.0 ? x(k) : 0.0;
      sum += scaled(weight(k)) * (x(k) * 0x1p-600);
    }
    return held(held(sum * factor()) * 0x1p600);
  }

 private:
  weighted_mean(reduction how, double scale) noexcept : summed_(how == reduction::sum), scale_(scale) {}

  void divide_by(double total) noexcept {
    if (!summed_) scale_ = total > 0.0 ? scale_ / total : 0.0;
  }
  [[nodiscard]] static double held(double x) noexcept { return held_as<double>(x); }

  bool summed_;
  double scale_;  // divided by the sum of the scaled weights, except for reduction::sum
  double unit_ = 1.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
