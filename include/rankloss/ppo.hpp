// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// policy_batch: actions with their log probabilities under the policy that learns and under the policy that
/// acted, as views of the host's own memory.
///
/// `entropies` are those of the policy that learns, in the states where it acted; only diagnose uses them.
/// The penalty of ppo is towards the reference policy, or towards the policy that acted if there is none.
template <score T>
struct policy_batch {
  array_view<const T> log_probabilities;              ///< [n] of the policy that learns, finite; may be > 0
  array_view<const T> old_log_probabilities;          ///< [n] of the policy that acted, finite
  array_view<const T> advantages;                     ///< [n] finite
  reals weights{};                                    ///< [n] >= 0, finite; empty: all 1
  flags mask{};                                       ///< [n] zero: it does not count; empty: all count
  array_view<const T> reference_log_probabilities{};  ///< [n] of a reference policy, finite; or empty
  reals entropies{};                                  ///< [n] finite, for diagnose; or empty
};

/// value_batch: the values that a critic gave to states and the returns that followed, as views of the host's
/// own memory.
template <score T>
struct value_batch {
  array_view<const T> values;        ///< [n] of the critic that learns, finite
  array_view<const T> returns;       ///< [n] finite
  array_view<const T> old_values{};  ///< [n] when the policy acted, finite; empty: no clipping
  reals weights{};                   ///< [n] >= 0, finite; empty: all 1
  flags mask{};                      ///< [n] zero: the state does not count; empty: all count
};

/// Estimates of the divergence KL(acting, other) from actions of the acting policy, by the ratio q = other /
/// acting of their probabilities.
enum class kl_estimator {
  k1,  ///< -log q: unbiased, may be negative
  k2,  ///< (log q)^2 / 2: biased, never negative
  k3,  ///< q - 1 - log q: unbiased, never negative
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(kl_estimator) noexcept {
  return {"k1", "k2", "k3"};
}

namespace detail {

/// The logarithm of a ratio of probabilities, and the ratio. Both are bounded, so that their product with a
/// finite number is never NaN.
struct policy_ratio {
  RANKLOSS_HOST_DEVICE policy_ratio(double upper, double lower)
      : log(bounded_term(upper - lower)),
        ratio(std::exp(lesser(log, most))),
        above(std::expm1(lesser(log, most))) {}

  static constexpr double most = 600.0;
  double log;
  double ratio;
  double above;  ///< ratio - 1, computed without cancellation

  [[nodiscard]] RANKLOSS_HOST_DEVICE double kl(kl_estimator estimator) const noexcept {
    switch (estimator) {
      case kl_estimator::k1: return -log;
      case kl_estimator::k2: return bounded_term(0.5 * log * log);
      default: return larger(past_line(), 0.0);
    }
  }
  /// ratio - 1 - log, without cancellation where the ratio is near 1.
  [[nodiscard]] RANKLOSS_HOST_DEVICE double past_line() const noexcept {
    if (std::fabs(log) > 0.25) return above - lesser(log, most);
    double sum = 1.0 / 6227020800.0;  // of log^k / (k + 2)!
    sum = sum * log + 1.0 / 479001600.0;
    sum = sum * log + 1.0 / 39916800.0;
    sum = sum * log + 1.0 / 3628800.0;
    sum = sum * log + 1.0 / 362880.0;
    sum = sum * log + 1.0 / 40320.0;
    sum = sum * log + 1.0 / 5040.0;
    sum = sum * log + 1.0 / 720.0;
    sum = sum * log + 1.0 / 120.0;
    sum = sum * log + 1.0 / 24.0;
    sum = sum * log + 1.0 / 6.0;
    return (sum * log + 0.5) * log * log;
  }
  /// The derivative of `kl` by the logarithm of the ratio.
  [[nodiscard]] RANKLOSS_HOST_DEVICE double kl_slope(kl_estimator estimator) const noexcept {
    switch (estimator) {
      case kl_estimator::k1: return -1.0;
      case kl_estimator::k2: return log;
      default: return above;
    }
  }

  /// The penalty on an action, without its coefficient, towards the policy that acted.
  [[nodiscard]] RANKLOSS_HOST_DEVICE policy_term penalty(kl_estimator estimator) const noexcept {
    return {kl(estimator), kl_slope(estimator), false};
  }
  /// The same towards a reference. Here the policy that learns is the one that acts, so its log probability is
  /// in the denominator.
  [[nodiscard]] RANKLOSS_HOST_DEVICE static policy_term to_reference(double reference, double learning,
                                                                     kl_estimator estimator) noexcept {
    const policy_ratio q(reference, learning);
    return {q.kl(estimator), -q.kl_slope(estimator), false};
  }
};

}  // namespace detail

/// ppo: the clipped surrogate of proximal policy optimisation, with a penalty on the divergence from the old
/// policy or from a reference.
///
///     rho_i            = exp(new_i - old_i), of log probabilities
///     loss             = mean_i of -min(rho_i A_i, clamp(rho_i, 1 - clip, 1 + clip) A_i)
///                        + kl_coefficient k(q_i)
///     q_i              = rho_i, an estimate of KL(old, new);
///                        with reference_log_probabilities exp(reference_i - new_i), of KL(new, reference)
///     the same, by sign: A >= 0: -A min(rho, 1 + clip);  A < 0: -A min(max(rho, 1 - clip), dual_clip)
///     d(loss)/d(new_i) = share of i in the mean times
///                        (-rho_i A_i where rho_i is inside these bounds, else 0) + kl_coefficient k'
///     k'               = -1 (k1), log q (k2), q - 1 (k3); with a reference the negative of these
///
/// Schulman, Wolski, Dhariwal, Radford, Klimov: Proximal policy optimization algorithms, 2017, arXiv
/// 1707.06347; dual clip: Ye et al.: Mastering complex control in MOBA games with deep reinforcement
/// learning, AAAI 2020; estimators: Schulman: Approximating KL divergence, 2020.
///
///     rankloss::evaluate(rankloss::ppo{.clip = 0.2}, batch, {.gradient = gradient}, context);
///
/// - Time O(n), scratch for a number of each 2^14 actions; the workers of the context share many actions.
///   Floats without a penalty are computed in float where that is enough (docs/numerics.md). The mean is
///   weighted: sum w x / sum w over the actions that the mask keeps.
/// - Where the two policies are equal every rho is 1, and the gradient is that of REINFORCE: -A_i times the
///   share of i.
/// - A ratio at a bound counts as inside: at a kink the gradient is that of the unclipped side. The gradient
///   takes advantages and old log probabilities as constants.
/// - The gradient of the penalty is that of the estimate. Where the policies are equal, the gradient of the
///   divergence is 0. That of k1 is then 0 only in the mean over actions of the old policy, while those of k2
///   and k3 are 0 for each action.
/// - An entropy bonus is added by the caller, with the gradients of its own entropies (plackett_luce_policy:
///   entropy_upstream).
/// - Edge cases: if no action counts, value and gradient are 0. A ratio beyond e^600 counts as e^600 and one
///   below e^-700 as 0, an estimate beyond 1e290 as 1e290; derivatives are bounded by the largest number of the
///   type. Finite input never gives a NaN.
/// @throws std::invalid_argument from `evaluate` when sizes, options or (data_checks::on) data are invalid;
/// then nothing has been written.
struct ppo {
  double clip = 0.2;            ///< >= 0: the largest distance of a ratio from 1 that counts
  double dual_clip = 0.0;       ///< > 1: the largest ratio that counts for negative advantages; 0: no limit
  double kl_coefficient = 0.0;  ///< >= 0, factor on the estimate of the divergence
  kl_estimator estimator = kl_estimator::k3;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("clip", self.clip, options::at_least_0);
    visit("dual_clip", self.dual_clip,
          options::real{.least = 1.0, .open = true, .besides = options::besides::zero});
    visit("kl_coefficient", self.kl_coefficient, options::at_least_0);
    visit("estimator", self.estimator, options::choice<kl_estimator>{});
  }

  /// The term of an action with this ratio and advantage, without the penalty.
  [[nodiscard]] RANKLOSS_HOST_DEVICE detail::policy_term surrogate(double ratio,
                                                                   double advantage) const noexcept {
    double counted = ratio;
    if (advantage >= 0.0) {
      counted = detail::lesser(ratio, 1.0 + clip);
    } else {
      counted = detail::larger(ratio, 1.0 - clip);
      if (dual_clip > 0.0) counted = detail::lesser(counted, dual_clip);
    }
    const bool clipped = advantage != 0.0 && counted != ratio;
    return {detail::bounded_term(-advantage * counted),
            clipped ? 0.0 : detail::bounded_term(-advantage * ratio), clipped};
  }
  /// That term and the penalty.
  [[nodiscard]] RANKLOSS_HOST_DEVICE detail::policy_term penalised(
      detail::policy_term term, const detail::policy_term& penalty) const noexcept {
    term.value = detail::bounded_term(term.value + kl_coefficient * penalty.value);
    term.slope = detail::bounded_term(term.slope + kl_coefficient * penalty.slope);
    return term;
  }
};

/// policy_diagnostics: the state of a policy. All numbers are weighted means over the actions that count, and
/// 0 if none does.
struct policy_diagnostics {
  double mean_ratio = 0.0;     ///< of rho
  double clip_fraction = 0.0;  ///< share of actions whose ratio a bound replaces
  double kl_k1 = 0.0;          ///< estimates of KL(old, new)
  double kl_k3 = 0.0;
  double reference_kl_k1 = 0.0;  ///< estimates of KL(new, reference); 0 without a reference
  double reference_kl_k3 = 0.0;
  double entropy = 0.0;  ///< of `entropies`; 0 without them
};

/// critic: half the mean squared error of values. A bound may limit how far an improvement may move them from
/// the old values.
///
///     clipped_i          = clamp(V_i, old_i - clip, old_i + clip)
///     loss               = mean_i of 1/2 max((V_i - R_i)^2, (clipped_i - R_i)^2)
///     d(loss)/d(V_i)     = share of i in the mean times (V_i - R_i if its square is not smaller, else 0)
///
/// Schulman et al., as in ppo; the bound on values is that of their published code.
///
/// - Time O(n), no scratch. Weighted mean as in ppo. At a kink the gradient is that of the unclipped square.
///   Without old_values: mean of squares, no clipping.
/// - Edge cases: if no state counts, value and gradient are 0. A square beyond 1e290 counts as 1e290.
/// @throws std::invalid_argument from `evaluate` when sizes, options or (data_checks::on) data are invalid;
/// then nothing has been written.
struct critic {
  double clip = 0.2;  ///< >= 0, in units of the values; not used without old_values

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("clip", self.clip, options::at_least_0);
  }

  /// The term of a state with this value and return.
  [[nodiscard]] RANKLOSS_HOST_DEVICE detail::policy_term term(double value, double to) const noexcept {
    const double error = detail::held_as<double>(value - to);
    return {detail::bounded_term(0.5 * error * error), error, false};
  }
  /// The same with clipping, given the old value.
  [[nodiscard]] RANKLOSS_HOST_DEVICE detail::policy_term term(double value, double to,
                                                              double old) const noexcept {
    const detail::policy_term free = term(value, to);
    // As differences, whose digits would be lost in a bound of the value: what clipping leaves of the move from the old
    // value, and the distance of the old value from the return.
    const double moved = value - old;
    if (std::fabs(moved) <= clip) return free;
    const double other =
        detail::held_as<double>(detail::limited(moved, -clip, clip) + detail::opaque(old - to));
    if (!(std::fabs(other) > std::fabs(free.slope))) return free;
    return {detail::bounded_term(0.5 * other * other), 0.0, true};
  }
};

namespace detail {

template <class T>
void check_policy(const policy_batch<T>& batch, const outputs& out, bool check_data,
                  workspace* scratch = nullptr) {
  const std::size_t n = batch.log_probabilities.size();
  check_size("old_log_probabilities", batch.old_log_probabilities.size(), n, "one per step");
  check_size("advantages", batch.advantages.size(), n, "one per step");
  check_optional("reference_log_probabilities", batch.reference_log_probabilities.size(), n, "one per step");
  check_optional("entropies", batch.entropies.size(), n, "one per step");
  check_step_outputs(out, n);
  check_step_weights(batch.weights, batch.mask, n, check_data);
  if (!check_data) return;
  check_finite("reference_log_probabilities", batch.reference_log_probabilities, batch.mask, "step", scratch);
  check_finite("entropies", batch.entropies, batch.mask);
  check_finite("log_probabilities", batch.log_probabilities, batch.mask, "step", scratch);
  check_finite("old_log_probabilities", batch.old_log_probabilities, batch.mask, "step", scratch);
  check_finite("advantages", batch.advantages, batch.mask, "step", scratch);
}

template <class T>
void check_critic(const value_batch<T>& batch, const outputs& out, bool check_data,
                  workspace* scratch = nullptr) {
  const std::size_t n = batch.values.size();
  check_size("returns", batch.returns.size(), n, "one per step");
  check_optional("old_values", batch.old_values.size(), n, "one per step");
  check_step_outputs(out, n);
  check_step_weights(batch.weights, batch.mask, n, check_data);
  if (!check_data) return;
  check_finite("values", batch.values, batch.mask, "step", scratch);
  check_finite("returns", batch.returns, batch.mask, "step", scratch);
  check_finite("old_values", batch.old_values, batch.mask, "step", scratch);
}

}  // namespace detail

/// evaluate: the value of a policy's loss over actions, and on request its gradient by the log probabilities.
template <score T>
double evaluate(const ppo& loss, const policy_batch<T>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_policy(batch, out, ctx.checks == data_checks::on, &ctx.scratch());
  return detail::compute(loss, batch, out, ctx);
}

/// evaluate: the value of a critic's loss over states, and on request its gradient by the values.
template <score T>
double evaluate(const critic& loss, const value_batch<T>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_critic(batch, out, ctx.checks == data_checks::on, &ctx.scratch());
  return detail::compute(loss, batch, out, ctx);
}

/// diagnose: ratios, clipping and divergences of the policies, for monitoring during training.
/// @throws std::invalid_argument as evaluate.
template <score T>
[[nodiscard]] policy_diagnostics diagnose(const ppo& loss, const policy_batch<T>& batch,
                                          data_checks checks = data_checks::on);

/// shape_rewards: rewards minus a penalty on the divergence of the policy that acted from a reference, step
/// by step as in the training of language models.
///
///     shaped_i = rewards_i - coefficient k(q_i),   q_i = exp(reference_i - acted_i), of log probabilities
///     shaped_i = 0 for steps that the mask leaves out, whatever they hold
///
/// k(q_i) is an estimate of KL(acted, reference). Ziegler et al.: Fine-tuning language models from human
/// preferences, 2019, arXiv 1909.08593.
///
/// - Time O(n). `shaped` may be `rewards` itself. Values beyond the largest number of T are set to it.
/// @param mask [n] zero: the step is padding; empty: all count
/// @throws std::invalid_argument naming the field when sizes, the coefficient or (data_checks::on) data are
/// invalid; then nothing has been written.
template <score T>
void shape_rewards(std::type_identity_t<array_view<const T>> rewards,
                   std::type_identity_t<array_view<const T>> log_probabilities,
                   std::type_identity_t<array_view<const T>> reference_log_probabilities, double coefficient,
                   kl_estimator estimator, std::span<T> shaped, const flags& mask = {},
                   data_checks checks = data_checks::on);

/// explained_variance: the share of the variance of the returns that the values explain, 1 - Var(R - V) /
/// Var(R), weighted. It is 1 for values that are right up to a constant, 0 for constant values, below 0 for
/// worse ones. It is 0 where all returns are equal, or none counts.
/// @throws std::invalid_argument as evaluate.
template <score T>
[[nodiscard]] double explained_variance(const value_batch<T>& batch, data_checks checks = data_checks::on);

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/ppo.hpp>
#endif
