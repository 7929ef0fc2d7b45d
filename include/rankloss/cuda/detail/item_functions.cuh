// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/pointwise.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The value f(s, y) of an item, and its first two derivatives by s.
struct item_term {
  double value, slope, curvature;
};
/// The same in floats, 0 or far from the ends of their range. The value is within 4e-7 of itself, or of
/// log(1 + e^-|s|) where it is the difference of that and of a product.
struct near_item_term {
  two_floats value;
  float slope, curvature;
};

/// log(1 + e^x) and its first two derivatives, for any x.
[[nodiscard]] __device__ inline item_term softplus(double x) {
  const double u = exp(-fabs(x));
  const double high = 1.0 / (1.0 + u);
  return {fmax(x, 0.0) + log1p(u), x >= 0.0 ? high : u * high, u * high * high};
}

/// What the rounded difference d = a - b lacks of the exact one; 0 where d is so large that its parts may be infinite.
[[nodiscard]] __device__ inline double lost_in_difference(double a, double b, double d) {
  const double taken = a - d;
  const double lost = (a - (d + taken)) + (taken - b);
  return fabs(d) < 1e300 ? lost : 0.0;
}

/// What log(1 + e^x) is made of, in floats, for |x| up to 60. Relative errors are below 4e-7.
struct near_softplus {
  float log;   ///< log(1 + e^-|x|)
  float low;   ///< the logistic function of -|x|
  float high;  ///< and of |x|

  explicit __device__ near_softplus(float x) {
    const float u = exp_up_to_88(-fabsf(x));
    log = log1pf(u);
    high = near_quotient(1.0f, 1.0f + u);
    low = u * high;
  }
};

/// device_item_function: a function of items together with its computation in a kernel, by the formulas of
/// cpu/pointwise.hpp. For other functions there is none.
///
///     of(function)       made on the host
///     takes(y)           which relevance it accepts
///     (s, y)             the term of any item
///     in_floats(s, y, f) whether floats are enough for the item, and then its term. Its slope is within 1e-6
///                        of itself: where it is the difference of near numbers they are not
template <class Function>
struct device_item_function;

template <>
struct device_item_function<item_functions::squared> {
  [[nodiscard]] static device_item_function of(const item_functions::squared&) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const double d = s - y;
    return {d * d, 2.0 * d, 2.0};
  }
  [[nodiscard]] __device__ bool in_floats(float s, float y, near_item_term& f) const {
    const float d = s - y, size = fabsf(d);
    f = {product(d, {d, 0.0f}), d + d, 2.0f};
    return (size >= 1e-12f && size <= 1e7f) || size == 0.0f;
  }
};

template <>
struct device_item_function<item_functions::logistic> {
  item_functions::logistic function;

  [[nodiscard]] static device_item_function of(const item_functions::logistic& f) noexcept { return {f}; }
  [[nodiscard]] __device__ bool takes(double y) const { return function.takes(y); }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    // By what is missing: |s| is large for items that are right, and so close to it is what would be taken from it.
    const double size = fabs(s), missing = s > 0.0 ? 1.0 - y : y;
    const item_term f = softplus(-size);
    const double slope = missing - f.slope;
    return {f.value + size * missing, s > 0.0 ? slope : -slope, f.curvature};
  }
  /// The value is log(1 + e^-|s|) + a s, with a = 1 - y for s > 0, so that nothing is lost of an item whose
  /// probability is near its relevance of 0 or 1.
  [[nodiscard]] __device__ bool in_floats(float s, float y, near_item_term& f) const {
    const near_softplus of(s);
    const float a = s > 0.0f ? 1.0f - y : -y;
    const float slope = s > 0.0f ? a - of.low : a + of.low;
    f = {product(a, {s, 0.0f}) + two_floats{of.log, 0.0f}, slope, of.low * of.high};
    return fabsf(s) <= 50.0f && fabsf(y) <= 1e6f && fabsf(slope) >= 0.25f * of.low;
  }
};

template <>
struct device_item_function<item_functions::ordinal> {
  static constexpr std::size_t most_thresholds = 64;
  std::size_t count;
  // Copies, as the host's memory is not the device's.
  double thresholds[most_thresholds];
  two_floats near_thresholds[most_thresholds];
  double gaps[most_thresholds];  ///< -log(1 - exp(t_{k-1} - t_k)) of threshold k; 0 of the first

  [[nodiscard]] static device_item_function of(const item_functions::ordinal& f) {
    rankloss::detail::require(f.thresholds.size() <= most_thresholds, "thresholds: size ",
                              f.thresholds.size(), ", expected at most ", most_thresholds, " on a device");
    device_item_function made{f.thresholds.size(), {}, {}, {}};
    for (std::size_t k = 0; k < made.count; ++k) {
      made.thresholds[k] = f.thresholds[k];
      made.near_thresholds[k] = number<two_floats>(f.thresholds[k]);
      if (k > 0) made.gaps[k] = -rankloss::detail::log_of_rest(f.thresholds[k] - f.thresholds[k - 1]);
    }
    return made;
  }
  [[nodiscard]] __device__ bool takes(double y) const { return y >= 0.0; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const auto k = static_cast<std::size_t>(fmin(fmax(y, 0.0), static_cast<double>(count)));
    if (k == 0) return count > 0 ? softplus(s - thresholds[0]) : item_term{0.0, 0.0, 0.0};
    const double below = thresholds[k - 1], lower = below - s;
    const item_term g = softplus(lower);
    if (k == count) return {g.value, -g.slope, g.curvature};
    const double above = thresholds[k], upper = s - above;
    const item_term f = softplus(upper);
    // The difference of the slopes, as on the CPU: it has digits midway between two thresholds, too.
    const double apart =
        (upper - lower) + (lost_in_difference(s, above, upper) - lost_in_difference(below, s, lower));
    const double size = -expm1(-fabs(apart)) * fmax(f.slope, g.slope) * (1.0 - fmin(f.slope, g.slope));
    return {f.value + g.value + gaps[k], copysign(size, apart), f.curvature + g.curvature};
  }
  [[nodiscard]] __device__ bool in_floats(float s, float y, near_item_term& f) const {
    constexpr float farthest = 50.0f;
    if (!(fabsf(s) <= farthest)) return false;
    const auto k = static_cast<std::uint32_t>(fminf(fmaxf(y, 0.0f), static_cast<float>(count)));
    const bool has_above = k<count, has_below = k> 0;
    const two_floats score{s, 0.0f};
    const two_floats above = has_above ? near_thresholds[k] : score;
    const two_floats below = has_below ? near_thresholds[k - 1] : score;
    const float x = difference(score, above), z = difference(below, score);
    if (!(fabsf(x) <= farthest && fabsf(z) <= farthest)) return false;
    const near_softplus of_x(x), of_z(z);
    float value = 0.0f, gap = 0.0f, curvature = 0.0f;
    if (has_above) {
      value += fmaxf(x, 0.0f) + of_x.log;
      curvature += of_x.low * of_x.high;
    }
    if (has_below) {
      value += fmaxf(z, 0.0f) + of_z.log;
      curvature += of_z.low * of_z.high;
    }
    const float by_x = x >= 0.0f ? of_x.high : of_x.low, by_z = z >= 0.0f ? of_z.high : of_z.low;
    float slope = has_above ? by_x : -by_z;
    if (has_above && has_below) {
      // The difference of both, without cancellation.
      const float apart = rounded(two_floats{s + s, 0.0f} - (above + below));
      if (!(fabsf(apart) >= 1e-4f)) return false;
      const float first = apart > 0.0f ? by_x : by_z;                          // of the greater
      const float second = apart > 0.0f ? (z >= 0.0f ? of_z.low : of_z.high)   // of minus the
                                        : (x >= 0.0f ? of_x.low : of_x.high);  // smaller one
      slope = copysignf(first * second * -expm1f(-fabsf(apart)), apart);
      gap = static_cast<float>(gaps[k]);
    }
    f = {{value + gap, 0.0f}, slope, curvature};
    return gap <= 1e6f;
  }
};

template <>
struct device_item_function<item_functions::smooth_l1> {
  double beta;
  float near_beta, inverse;

  [[nodiscard]] static device_item_function of(const item_functions::smooth_l1& f) noexcept {
    // Where floats do not hold beta and its inverse, no distance is one of theirs.
    const bool held = f.beta >= 1e-8 && f.beta <= 1e8;
    return {f.beta, held ? static_cast<float>(f.beta) : 0.0f, held ? static_cast<float>(1.0 / f.beta) : 0.0f};
  }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const double d = s - y;
    const double size = fabs(d);
    const double fraction = fmin(size, beta) / beta;
    return {size < beta ? 0.5 * size * fraction : size - 0.5 * beta, copysign(fraction, d),
            size < beta ? 1.0 / beta : 0.0};
  }
  /// An item so near the end of the square that floats do not tell its side is none of theirs.
  [[nodiscard]] __device__ bool in_floats(float s, float y, near_item_term& f) const {
    const float d = s - y, size = fabsf(d);
    const bool inside = size < near_beta;
    const float fraction = inside ? size * inverse : 1.0f;
    f = {{inside ? 0.5f * size * fraction : size - 0.5f * near_beta, 0.0f},
         copysignf(fraction, d),
         inside ? inverse : 0.0f};
    return near_beta > 0.0f && ((size >= 1e-8f && size <= 1e8f) || size == 0.0f) &&
           fabsf(size - near_beta) > 1e-6f * near_beta;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
