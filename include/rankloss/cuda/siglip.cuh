// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/siglip.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// siglip of one line, by the formulas of cpu/siglip.hpp. A negative is computed in T where no number can be
/// beyond it; a positive, of which there are few, and sums are doubles.
template <class T>
struct siglip_lines {
  static constexpr double largest_term = rankloss::detail::largest_term;

  struct first {
    double value;
    double by_bias;
    double by_scaled;  ///< sum of derivatives times s / temperature
    double positives;

    [[nodiscard]] static __device__ first none() { return {0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  using second = no_sums;
  struct slope {
    double factor;  ///< on the derivatives by s / temperature
    T own_factor;   ///< the same
    T unused;
  };

  siglip loss;
  bool looks_twice;
  bool narrow;  ///< whether s / temperature + bias is far below the largest T
  T unit, bias;
  double inverse;

  [[nodiscard]] static siglip_lines of(const siglip& loss, bool, bool) {
    const double inverse = 1.0 / loss.temperature;
    return {.loss = loss,
            .looks_twice = false,
            .narrow = inverse <= 1e6 && std::abs(loss.bias) <= 1e6,
            .unit = held_as<T>(inverse),
            .bias = held_as<T>(loss.bias),
            .inverse = inverse};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first sums = first::none();
    T value{0}, by_bias{0}, by_scaled{0};
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const T s = segment.score(k);
      const bool positive = kind == pair_kind::positive;
      if (positive) sums.positives += 1.0;
      if (takes_narrow(s, positive)) {
        const term<T> own(fma(s, unit, bias));
        value += own.value;
        by_bias += own.slope;
        by_scaled = fma(own.slope, s * unit, by_scaled);
      } else {
        const double x = scaled(s);
        const term<double> own(positive ? -(x + loss.bias) : x + loss.bias);
        const double by = positive ? -own.slope : own.slope;
        sums.value += own.value;
        sums.by_bias += by;
        sums.by_scaled = fma(by, x, sums.by_scaled);
      }
    }
    sums.value += static_cast<double>(value);
    sums.by_bias += static_cast<double>(by_bias);
    sums.by_scaled += static_cast<double>(by_scaled);
    return sums;
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return {a.value + b.value, a.by_bias + b.by_bias, a.by_scaled + b.by_scaled, a.positives + b.positives};
  }
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second*, double share,
                                               slope& to) const {
    const double factor = held_as<double>(share * inverse);
    to = {factor, held_as<T>(factor), T{0}};
    return {.value = fmin(sums.value, largest_term),
            .by_temperature = held_as<double>(-sums.by_scaled / loss.temperature),
            .by_bias = sums.by_bias};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T s, bool positive) const {
    if (takes_narrow(s, positive)) return of.own_factor * term<T>(fma(s, unit, bias)).slope;
    const double x = scaled(s) + loss.bias;
    const double size = term<double>(positive ? -x : x).slope;
    return held_as<T>(of.factor * (positive ? -size : size));
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const { return fabs(of.factor); }

 private:
  /// log(1 + e^x) and its derivative.
  template <class X>
  struct term {
    X value, slope;
    __device__ explicit term(X x) {
      const X u = exp_minus(x < X{0} ? -x : x);
      const X high = detail::inverse(X{1} + u);
      value = (x < X{0} ? X{0} : x) + log1p(u);
      slope = x < X{0} ? u * high : high;
    }
  };
  [[nodiscard]] __device__ bool takes_narrow(T s, bool positive) const {
    return !positive && narrow && s >= T{-1e6f} && s <= T{1e6f};
  }
  [[nodiscard]] __device__ double scaled(T s) const {
    return fmin(fmax(static_cast<double>(s) * inverse, -largest_term), largest_term);
  }
};

}  // namespace cuda::detail

template <>
struct engine<siglip, cuda::context> : cuda::detail::line_engine<siglip, cuda::detail::siglip_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
