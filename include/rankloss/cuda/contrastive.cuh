// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/contrastive.hpp>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/distance.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// contrastive of one line, by the formulas of cpu/contrastive.hpp. Distances are doubles, so that a pair is
/// active where it is on the CPU.
template <class T>
struct contrastive_lines {
  static constexpr double largest_term = rankloss::detail::largest_term;

  struct first {
    double positive_cost, positives_counted;
    double negative_cost, negatives_counted;
    double positives;

    [[nodiscard]] static __device__ first none() { return {0.0, 0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  using second = no_sums;
  struct slope {
    double of_positive, of_negative;
    double largest;
  };

  contrastive loss;
  bool looks_twice;

  [[nodiscard]] static contrastive_lines of(const contrastive& loss, bool, bool) {
    return {.loss = loss, .looks_twice = false};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first sums = first::none();
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const bool positive = kind == pair_kind::positive;
      const double h = hinge(score_of(segment.score(k)), positive);
      const double cost = fmin(loss.form == contrastive_form::half_square ? h * (0.5 * h) : h, largest_term);
      const double counted = cost > 0.0 || loss.average == contrastive_average::all ? 1.0 : 0.0;
      (positive ? sums.positive_cost : sums.negative_cost) += cost;
      (positive ? sums.positives_counted : sums.negatives_counted) += counted;
      if (positive) sums.positives += 1.0;
    }
    return sums;
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    return {a.positive_cost + b.positive_cost, a.positives_counted + b.positives_counted,
            a.negative_cost + b.negative_cost, a.negatives_counted + b.negatives_counted,
            a.positives + b.positives};
  }
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second*, double share,
                                               slope& to) const {
    const double of_positive = 1.0 / fmax(sums.positives_counted, 1.0);
    const double of_negative = 1.0 / fmax(sums.negatives_counted, 1.0);
    // No hinge is greater than what all of them cost.
    const auto hinges = [&](double cost) {
      return loss.form == contrastive_form::half_square ? sqrt(2.0 * cost) : 1.0;
    };
    const double largest =
        fmax(of_positive * hinges(sums.positive_cost), of_negative * hinges(sums.negative_cost));
    to = {share * of_positive, -share * of_negative, share * largest * steepest_of(loss.distance)};
    return {.value = fmin(sums.positive_cost * of_positive + sums.negative_cost * of_negative, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T given, bool positive) const {
    const double s = score_of(given);
    const double h = hinge(s, positive);
    if (!(h > 0.0)) return T{0};
    const double by_hinge = loss.form == contrastive_form::half_square ? h : 1.0;
    return held_as<T>(by_hinge * distance_slope(s, loss.distance) *
                      (positive ? of.of_positive : of.of_negative));
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const { return of.largest; }

 private:
  [[nodiscard]] static __device__ double score_of(T s) {
    return rankloss::detail::limited(static_cast<double>(s), -largest_term, largest_term);
  }
  [[nodiscard]] __device__ double hinge(double s, bool positive) const {
    const double d = distance_of(s, loss.distance);
    return fmax(positive ? d - loss.positive_margin : loss.negative_margin - d, 0.0);
  }
};

}  // namespace cuda::detail

template <>
struct engine<contrastive, cuda::context>
    : cuda::detail::line_engine<contrastive, cuda::detail::contrastive_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
