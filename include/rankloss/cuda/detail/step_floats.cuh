// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ppo.hpp>

/// Terms of steps in floats. Steps that floats are not enough for are told, and have to be computed in
/// doubles: those that are so near a bound that it is not certain on which side, those beyond the range in
/// which errors are below 4e-7, and those whose slope is the difference of near numbers.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The value of a step, and its slope.
struct near_step_term {
  two_floats value;
  float slope;
};

/// Whether x is 0 or a number of which no product with a weight leaves the range of floats.
[[nodiscard]] __device__ inline bool is_moderate(float x) {
  const float size = fabsf(x);
  return (size >= 1e-10f && size <= 1e12f) || size == 0.0f;
}

/// policy_ratio in floats, for logarithms up to 15. A ratio is within 4e-7 of itself.
struct near_ratio {
  float log, ratio;

  __device__ near_ratio(float upper, float lower) {
    const two_floats difference = two_floats{upper, 0.0f} - two_floats{lower, 0.0f};
    log = difference.high;
    const float near = exp_of(log);
    ratio = fmaf(near, difference.low, near);
  }
  [[nodiscard]] __device__ bool holds() const { return fabsf(log) <= 15.0f; }

  /// The estimate of a divergence and its derivative by the logarithm: policy_ratio::penalty.
  [[nodiscard]] __device__ near_step_term penalty(kl_estimator estimator) const {
    if (estimator == kl_estimator::k1) return {{-log, 0.0f}, -1.0f};
    if (estimator == kl_estimator::k2) return {product(0.5f * log, {log, 0.0f}), log};
    if (!(log > -1.0f && log < 2.0f)) return {{(ratio - 1.0f) - log, 0.0f}, ratio - 1.0f};
    // The exponential series behind its first two terms, which would cancel.
    float series = 1.0f / 87178291200.0f;
    constexpr float inverses[] = {1.0f / 6227020800.0f, 1.0f / 479001600.0f, 1.0f / 39916800.0f,
                                  1.0f / 3628800.0f,    1.0f / 362880.0f,    1.0f / 40320.0f,
                                  1.0f / 5040.0f,       1.0f / 720.0f,       1.0f / 120.0f,
                                  1.0f / 24.0f,         1.0f / 6.0f,         0.5f};
#pragma unroll
    for (const float inverse : inverses) series = fmaf(series, log, inverse);
    const float rest = log * log * series;
    return {{rest, 0.0f}, log + rest};
  }
};

/// ppo over actions in floats, as surrogate_floats computes them on the CPU.
struct near_policy {
  float least, most, most_below_0, coefficient;
  bool dual, penalised, takes_floats;

  [[nodiscard]] static near_policy of(const ppo& loss) noexcept {
    const auto bound = [](double x) {
      constexpr auto largest = static_cast<double>(greatest_number<float>);
      return static_cast<float>(rankloss::detail::limited(x, -largest, largest));
    };
    const bool penalised = loss.kl_coefficient > 0.0;
    return {.least = bound(1.0 - loss.clip),
            .most = bound(1.0 + loss.clip),
            .most_below_0 = bound(loss.dual_clip),
            .coefficient = bound(loss.kl_coefficient),
            .dual = loss.dual_clip > 0.0,
            .penalised = penalised,
            .takes_floats = !penalised || (loss.kl_coefficient >= 1e-6 && loss.kl_coefficient <= 1e6)};
  }

  /// Whether floats are enough for an action, and then its term without the penalty.
  [[nodiscard]] __device__ bool surrogate(const near_ratio& rho, float advantage,
                                          near_step_term& term) const {
    const bool is_gain = advantage >= 0.0f;
    float counted = is_gain ? fminf(rho.ratio, most) : fmaxf(rho.ratio, least);
    float apart = fabsf(rho.ratio - (is_gain ? most : least));
    if (dual) {
      if (!is_gain) counted = fminf(counted, most_below_0);
      apart = fminf(apart, fabsf(rho.ratio - most_below_0));
    }
    term = {product(-advantage, {counted, 0.0f}), counted != rho.ratio ? 0.0f : -advantage * rho.ratio};
    return takes_floats && rho.holds() && apart > 2e-6f * rho.ratio && is_moderate(advantage);
  }
  /// The same with a penalty towards the policy of the ratio q, whose logarithm grows with that of the action
  /// where `sign` is 1 and falls where it is -1.
  [[nodiscard]] __device__ bool penalise(const near_ratio& q, float sign, kl_estimator estimator,
                                         near_step_term& term) const {
    const near_step_term penalty = q.penalty(estimator);
    const float pull = sign * coefficient * penalty.slope, slope = term.slope + pull;
    const bool exact = fabsf(slope) >= 0.25f * fabsf(pull);
    term = {term.value + product(coefficient, penalty.value), slope};
    return q.holds() && exact && is_moderate(q.log);
  }
};

/// critic over states in floats.
struct near_critic {
  two_floats clip;
  bool takes_clip;

  [[nodiscard]] static near_critic of(const critic& loss) noexcept {
    return {number<two_floats>(loss.clip), loss.clip == 0.0 || (loss.clip >= 1e-10 && loss.clip <= 1e10)};
  }
  [[nodiscard]] __device__ bool operator()(float value, float to, near_step_term& term) const {
    const float error = value - to;
    term = {product(0.5f * error, {error, 0.0f}), error};
    return is_moderate(error);
  }
  [[nodiscard]] __device__ bool operator()(float value, float to, float old, near_step_term& term) const {
    if (!takes_clip || !operator()(value, to, term)) return false;
    const float moved = value - old, size = fabsf(term.slope);
    if (!(fabsf(fabsf(moved) - clip.high) > 1e-6f * clip.high)) return false;
    if (fabsf(moved) < clip.high) return true;
    const two_floats bound = two_floats{old, 0.0f} + (moved < 0.0f ? -clip : clip);
    const float other = rounded(bound - two_floats{to, 0.0f}), other_size = fabsf(other);
    // `other` has rounding errors of what it is the difference of.
    if (!(other_size > 1e-6f * (fabsf(old) + fabsf(to) + clip.high) && is_moderate(other) &&
          fabsf(other_size - size) > 1e-6f * other_size))
      return false;
    if (other_size > size) term = {product(0.5f * other, {other, 0.0f}), 0.0f};
    return true;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
