// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cmpm.hpp>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/detail/base/finite.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// cmpm of one line, by the formulas of cpu/cmpm.hpp. What is computed of an item is of T, sums of segments
/// are doubles.
template <class T>
struct cmpm_lines {
  static constexpr double largest_term = rankloss::detail::largest_term;

  struct first {
    double count;
    double top;  ///< greatest score
    double positives;
    double best_positives;                  ///< positives that have the greatest score
    double positive_total, negative_total;  ///< sums of exp((s - top) / temperature)
    double weighted;                        ///< sum of those times (top - s) / temperature

    [[nodiscard]] static __device__ first none() { return {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  using second = no_sums;
  struct slope {
    T top, multiple;
    T of_positive,
        of_negative;  ///< log(q + epsilon), relative to that of the greatest score, plus the middle
  };

  cmpm loss;
  bool looks_twice;
  T unit;  ///< 1 / temperature
  double half_unit;

  [[nodiscard]] static cmpm_lines of(const cmpm& loss, bool, bool) {
    return {.loss = loss,
            .looks_twice = false,
            .unit = held_as<T>(1.0 / loss.temperature),
            .half_unit = 2.0 / loss.temperature};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    T top{0};
    unsigned count = 0, positives = 0, best_positives = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const T s = segment.score(k);
      const unsigned best = kind == pair_kind::positive ? 1 : 0;
      if (count == 0 || s > top) {
        top = s;
        best_positives = best;
      } else if (s == top) {
        best_positives += best;
      }
      ++count;
      positives += best;
    }
    T positive_total{0}, negative_total{0}, weighted{0};
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const T d = distance(top, segment.score(k));
      const T e = exp_minus(d);
      if (kind == pair_kind::positive)
        positive_total += e;
      else
        negative_total += e;
      weighted = fma(e, d, weighted);
    }
    return {static_cast<double>(count),          static_cast<double>(top),
            static_cast<double>(positives),      static_cast<double>(best_positives),
            static_cast<double>(positive_total), static_cast<double>(negative_total),
            static_cast<double>(weighted)};
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    if (!(a.count > 0.0)) return b;
    if (!(b.count > 0.0)) return a;
    const double top = fmax(a.top, b.top);
    const double a_below = below(top, a.top), b_below = below(top, b.top);
    const double a_share = share_below<T>(a_below), b_share = share_below<T>(b_below);
    const auto weighted = [](const first& of, double share, double distance) {
      return share > 0.0 ? share * (of.weighted + distance * (of.positive_total + of.negative_total)) : 0.0;
    };
    return {a.count + b.count,
            top,
            a.positives + b.positives,
            (a.top == top ? a.best_positives : 0.0) + (b.top == top ? b.best_positives : 0.0),
            a_share * a.positive_total + b_share * b.positive_total,
            a_share * a.negative_total + b_share * b.negative_total,
            weighted(a, a_share, a_below) + weighted(b, b_share, b_below)};
  }

  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second*, double share,
                                               slope& to) const {
    to = {T{0}, T{0}, T{0}, T{0}};
    if (!(sums.positives > 0.0)) return {};
    const double match = 1.0 / (loss.matches_by == match_norm::sum ? sums.positives : sqrt(sums.positives));
    const double positive_target = log(match + loss.epsilon), negative_target = log(loss.epsilon);
    const double best_target = sums.best_positives > 0.0 ? positive_target : negative_target;
    const double of_positive = positive_target - best_target, of_negative = negative_target - best_target;
    const double z = sums.positive_total + sums.negative_total;
    const double middle =
        -(sums.weighted + of_positive * sums.positive_total + of_negative * sums.negative_total) / z;
    to = {static_cast<T>(sums.top), held_as<T>(share / loss.temperature / z),
          held_as<T>(of_positive + middle), held_as<T>(of_negative + middle)};
    return {.value = middle - best_target - log(z)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T s, bool positive) const {
    const T d = distance(of.top, s);
    return bounded(of.multiple * (exp_minus(d) * (-d - (positive ? of.of_positive : of.of_negative))));
  }
  /// exp(-d) d is at most 1 / e.
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return static_cast<double>(of.multiple) *
           (0.5 + fmax(fabs(static_cast<double>(of.of_positive)), fabs(static_cast<double>(of.of_negative))));
  }

 private:
  /// (top - s) / temperature of an item, up to where exponentials are 0.
  [[nodiscard]] __device__ T distance(T top, T s) const {
    if constexpr (sizeof(T) == sizeof(double))
      return below(top, s);
    else
      return fminf(fmaxf((top - s) * unit, 0.0f), 1e4f);
  }
  /// (top - s) / temperature, of numbers that are halved first: their difference may overflow.
  [[nodiscard]] __device__ double below(double top, double s) const {
    return fmin(fmax(fma(s, -0.5, 0.5 * top) * half_unit, 0.0), largest_term);
  }
};

}  // namespace cuda::detail

template <>
struct engine<cmpm, cuda::context> : cuda::detail::line_engine<cmpm, cuda::detail::cmpm_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
