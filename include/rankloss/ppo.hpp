// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/evaluate.hpp>

#include <algorithm>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// policy_batch: actions, and how probable the policy that learns and the one that acted find them, over the host's own memory.
template <score T>
struct policy_batch {
  array_view<const T> log_probabilities;              ///< [n] of the policy that learns, finite; densities may pass 0
  array_view<const T> old_log_probabilities;          ///< [n] of the policy that acted, finite
  array_view<const T> advantages;                     ///< [n] finite
  reals weights{};                                    ///< [n] >= 0, finite; none: all 1
  flags mask{};                                       ///< [n] zero: the action does not count; none: all do
  array_view<const T> reference_log_probabilities{};  ///< [n] of the policy that the penalty holds on to, finite; none: the policy that acted
  reals entropies{};                                  ///< [n] of the policy that learns, where it acted, finite: for diagnose; none: not told
};

/// value_batch: what states were said to be worth and what came of them, over the host's own memory.
template <score T>
struct value_batch {
  array_view<const T> values;        ///< [n] of the critic that learns, finite
  array_view<const T> returns;       ///< [n] finite
  array_view<const T> old_values{};  ///< [n] of the critic when the policy acted, finite; none: nothing is clipped
  reals weights{};                   ///< [n] >= 0, finite; none: all 1
  flags mask{};                      ///< [n] zero: the state does not count; none: all do
};

/// Estimates of the divergence KL(acting, other) of a policy from another by its own actions, from the ratio q = other / acting of their
/// probabilities.
enum class kl_estimator {
  k1,  ///< -log q: unbiased, may be negative
  k2,  ///< (log q)^2 / 2: biased, never negative
  k3,  ///< q - 1 - log q: unbiased, never negative
};

/// ppo: the clipped surrogate of proximal policy optimisation, with a penalty on the way from the old policy, or from a reference.
///
///     rho_i            = exp(new_i - old_i), of log probabilities
///     loss             = mean_i of -min(rho_i A_i, clamp(rho_i, 1 - clip, 1 + clip) A_i) + kl_coefficient k(q_i)
///     q_i              = rho_i, an estimate of KL(old, new); with reference_log_probabilities exp(reference_i - new_i), of KL(new, reference)
///     the same, by sign: A >= 0: -A min(rho, 1 + clip);  A < 0: -A min(max(rho, 1 - clip), dual_clip)
///     d(loss)/d(new_i) = part of i in the mean times (-rho_i A_i where rho_i is inside these bounds, else 0) + kl_coefficient k'
///     k'               = -1 (k1), log q (k2), q - 1 (k3); with a reference the negative of these
///
/// Schulman, Wolski, Dhariwal, Radford, Klimov: Proximal policy optimization algorithms, 2017, arXiv 1707.06347; dual clip: Ye et al.: Mastering
/// complex control in MOBA games with deep reinforcement learning, AAAI 2020; estimators: Schulman: Approximating KL divergence, 2020.
///
///     rankloss::evaluate(rankloss::ppo{.clip = 0.2}, batch, {.gradient = gradient}, context);
///
/// - Time O(n), no scratch, on the calling thread. The mean is weighted: sum w x / sum w over the actions that the mask keeps.
/// - Where the two policies are equal every rho is 1, and the gradient is that of REINFORCE: -A_i times the part of i.
/// - A bound itself is inside: at a kink the gradient is that of the unclipped side. Advantages and old log probabilities are constants to it.
/// - The estimators' slopes are those of the estimates. In the mean over actions of the old policy that of k1 is 0 where the policies are equal,
///   as is that of the divergence, but it does not vanish action by action as those of k2 and k3 do.
/// - An entropy bonus is the caller's, whose entropies have gradients of their own (plackett_luce_policy: entropy_upstream).
/// - Edge cases: nothing that counts: value 0, gradient 0. A ratio beyond e^600 counts as that, an estimate beyond 1e290 as that, and
///   derivatives are bounded by what the type holds: finite input never gives a NaN.
/// @throws std::invalid_argument from `evaluate` when sizes, options or (data_checks::on) data do not fit; then nothing has been written.
struct ppo {
  double clip = 0.2;            ///< >= 0: how far from 1 a ratio counts
  double dual_clip = 0.0;       ///< > 1: to where a ratio counts for negative advantages; 0: to any
  double kl_coefficient = 0.0;  ///< >= 0, factor on the estimate
  kl_estimator estimator = kl_estimator::k3;

  void validate() const {
    detail::require(detail::is_finite(clip) && clip >= 0.0, "clip: ", clip, ", expected a finite number >= 0");
    detail::require(dual_clip == 0.0 || (detail::is_finite(dual_clip) && dual_clip > 1.0), "dual_clip: ", dual_clip,
                    ", expected 0 or a finite number > 1");
    detail::require(detail::is_finite(kl_coefficient) && kl_coefficient >= 0.0, "kl_coefficient: ", kl_coefficient,
                    ", expected a finite number >= 0");
  }

  /// What an action of this ratio and advantage adds, without the penalty.
  [[nodiscard]] detail::policy_term surrogate(double ratio, double advantage) const noexcept {
    double counted = ratio;
    if (advantage >= 0.0) {
      counted = std::min(ratio, 1.0 + clip);
    } else {
      counted = std::max(ratio, 1.0 - clip);
      if (dual_clip > 0.0) counted = std::min(counted, dual_clip);
    }
    const bool clipped = advantage != 0.0 && counted != ratio;
    return {detail::bounded_term(-advantage * counted), clipped ? 0.0 : detail::bounded_term(-advantage * ratio), clipped};
  }
};

/// policy_diagnostics: where a policy has got to, means over the actions that count, by their weights; all 0 when none does.
struct policy_diagnostics {
  double mean_ratio = 0.0;     ///< of rho
  double clip_fraction = 0.0;  ///< of the actions that a bound of the surrogate keeps from counting
  double kl_k1 = 0.0;          ///< estimates of KL(old, new)
  double kl_k3 = 0.0;
  double reference_kl_k1 = 0.0;  ///< estimates of KL(new, reference); without reference_log_probabilities 0
  double reference_kl_k3 = 0.0;
  double entropy = 0.0;  ///< of the batch's entropies; without them 0
};

/// critic: half the mean squared error of values, with or without a bound on how far from the old ones they may get at a gain.
///
///     clipped_i          = clamp(V_i, old_i - clip, old_i + clip)
///     loss               = mean_i of 1/2 max((V_i - R_i)^2, (clipped_i - R_i)^2)
///     d(loss)/d(V_i)     = part of i in the mean times (V_i - R_i where its square is not the smaller one, else 0)
///
/// Schulman et al., as ppo; the bound on values is that of their published code.
///
/// - Time O(n), no scratch. Weighted mean as in ppo. At a kink the gradient is that of the unclipped square. Without old_values: mean of
///   squares, no clipping.
/// - Edge cases: nothing that counts: value 0, gradient 0. A square beyond 1e290 counts as that.
/// @throws std::invalid_argument from `evaluate` when sizes, options or (data_checks::on) data do not fit; then nothing has been written.
struct critic {
  double clip = 0.2;  ///< >= 0, in units of the values; not looked at without old_values

  void validate() const { detail::require(detail::is_finite(clip) && clip >= 0.0, "clip: ", clip, ", expected a finite number >= 0"); }
};

/// evaluate: the value of a policy's loss over actions, and on request its gradient by the log probabilities.
template <score T>
double evaluate(const ppo& loss, const policy_batch<T>& batch, const outputs& out, context& ctx) {
  return detail::compute(loss, batch, out, ctx);
}

/// evaluate: the value of a critic's loss over states, and on request its gradient by the values.
template <score T>
double evaluate(const critic& loss, const value_batch<T>& batch, const outputs& out, context& ctx) {
  return detail::compute(loss, batch, out, ctx);
}

/// diagnose: ratios, clipping and divergence of the policies, to be watched while one learns.
/// @throws std::invalid_argument as evaluate.
template <score T>
[[nodiscard]] policy_diagnostics diagnose(const ppo& loss, const policy_batch<T>& batch, data_checks checks = data_checks::on);

/// shape_rewards: rewards less a penalty on what the policy that acted is away from a reference, as trainers of language models pay it step by
/// step.
///
///     shaped_i = rewards_i - coefficient k(q_i),   q_i = exp(reference_i - acted_i), of log probabilities: an estimate of KL(acted, reference)
///     shaped_i = 0 of steps that the mask leaves out, whatever they hold
///
/// - Time O(n). `shaped` may be `rewards` itself. Values beyond what T holds are its largest. Ziegler et al.: Fine-tuning language models from
///   human preferences, 2019, arXiv 1909.08593.
/// @param mask  [n] zero: the step is padding; none: all count
/// @throws std::invalid_argument naming the field when sizes, the coefficient or (data_checks::on) data do not fit; then nothing has been written.
template <score T>
void shape_rewards(std::type_identity_t<array_view<const T>> rewards, std::type_identity_t<array_view<const T>> log_probabilities,
                   std::type_identity_t<array_view<const T>> reference_log_probabilities, double coefficient, kl_estimator estimator,
                   std::span<T> shaped, const flags& mask = {}, data_checks checks = data_checks::on);

/// explained_variance: what part of the returns' variance the values account for, 1 - Var(R - V) / Var(R), weighted: 1 for values that are right
/// but for a constant, 0 for constant ones, below 0 for worse. 0 where the returns are equal, or nothing counts.
/// @throws std::invalid_argument as evaluate.
template <score T>
[[nodiscard]] double explained_variance(const value_batch<T>& batch, data_checks checks = data_checks::on);

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/ppo.hpp>
#endif
