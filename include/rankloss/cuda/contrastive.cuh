// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/contrastive.hpp>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/distance.hpp>

#include <cmath>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// contrastive of one line, by the formulas of cpu/contrastive.hpp. Distances are exact_number<T>, so that a
/// pair is active where it is on the CPU, and doubles where margins or scores of floats are large.
template <class T>
struct contrastive_lines {
  static constexpr double largest_term = rankloss::detail::largest_term;
  static constexpr double narrow_size = 1e6;

  struct first {
    double positive_cost, positives_counted;
    double negative_cost, negatives_counted;
    double positives;

    [[nodiscard]] static __device__ first none() { return {0.0, 0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ bool has_positives() const { return positives > 0.0; }
  };
  using second = no_sums;
  struct slope {
    double largest;
    T of_positive, of_negative;
  };

  contrastive loss;
  bool looks_twice;
  bool narrow;  ///< whether margins are small enough for floats
  exact_number<T> positive_margin, negative_margin;
  exact_number<T> two;

  [[nodiscard]] static contrastive_lines of(const contrastive& loss, bool, bool) {
    using number_type = exact_number<T>;
    return {.loss = loss,
            .looks_twice = false,
            .narrow = sizeof(T) == sizeof(float) && std::abs(loss.positive_margin) <= narrow_size &&
                      std::abs(loss.negative_margin) <= narrow_size,
            .positive_margin = number<number_type>(loss.positive_margin),
            .negative_margin = number<number_type>(loss.negative_margin),
            .two = number<number_type>(2.0)};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first sums = first::none();
    T positive_cost{0}, negative_cost{0};
    unsigned positives = 0, positives_counted = 0, negatives_counted = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::none) continue;
      const bool positive = kind == pair_kind::positive;
      const T s = segment.score(k);
      bool costs;
      if (takes_narrow(s)) {
        const T h = narrow_pair(s, positive).hinge;
        const T cost = loss.form == contrastive_form::half_square ? h * (T{0.5f} * h) : h;
        costs = h > T{0};
        (positive ? positive_cost : negative_cost) += cost;
      } else {
        const double h = hinge(score_of(s), positive);
        const double cost =
            fmin(loss.form == contrastive_form::half_square ? h * (0.5 * h) : h, largest_term);
        costs = cost > 0.0;
        (positive ? sums.positive_cost : sums.negative_cost) += cost;
      }
      const unsigned counted = costs || loss.average == contrastive_average::all ? 1 : 0;
      (positive ? positives_counted : negatives_counted) += counted;
      positives += positive ? 1 : 0;
    }
    sums.positive_cost += static_cast<double>(positive_cost);
    sums.negative_cost += static_cast<double>(negative_cost);
    sums.positives_counted = static_cast<double>(positives_counted);
    sums.negatives_counted = static_cast<double>(negatives_counted);
    sums.positives = static_cast<double>(positives);
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
    to = {share * largest * steepest_of(loss.distance), held_as<T>(share * of_positive),
          held_as<T>(-share * of_negative)};
    return {.value = fmin(sums.positive_cost * of_positive + sums.negative_cost * of_negative, largest_term)};
  }
  [[nodiscard]] __device__ T slope_of(const slope& of, T given, bool positive) const {
    const T share = positive ? of.of_positive : of.of_negative;
    if (takes_narrow(given)) {
      const pair own = narrow_pair(given, positive);
      if (!(own.hinge > T{0})) return T{0};
      const T by_hinge = loss.form == contrastive_form::half_square ? own.hinge : T{1};
      return bounded(share * (by_hinge * own.slope));
    }
    const double s = score_of(given);
    const double h = hinge(s, positive);
    if (!(h > 0.0)) return T{0};
    const double by_hinge = loss.form == contrastive_form::half_square ? h : 1.0;
    return held_as<T>(by_hinge * distance_slope(s, loss.distance) * static_cast<double>(share));
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const { return of.largest; }

 private:
  struct pair {
    T hinge;
    T slope;  ///< of the distance
  };
  [[nodiscard]] __device__ bool takes_narrow(T s) const {
    return narrow && s >= -T{narrow_size} && s <= T{narrow_size};
  }
  [[nodiscard]] __device__ pair narrow_pair(T score, bool positive) const {
    const auto s = number<exact_number<T>>(score);
    exact_number<T> d;
    T slope;
    if (loss.distance == distance::cosine) {
      d = number<exact_number<T>>(T{1}) - s;
      slope = T{-1};
    } else {
      d = two - two * s;
      slope = T{-2};
      if (loss.distance == distance::euclidean) {
        d = root_of(d);
        const T size = rounded(d);
        slope = size > T{0} ? -inverse(size) : T{0};
      }
    }
    const T h = rounded(positive ? d - positive_margin : negative_margin - d);
    return {h > T{0} ? h : T{0}, slope};
  }
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
