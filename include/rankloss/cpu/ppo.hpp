// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/ppo.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The ratio rho of the new to the old probability of action i.
template <class T>
[[nodiscard]] policy_ratio ratio_of(const policy_batch<T>& batch, std::size_t i) {
  return {static_cast<double>(batch.log_probabilities[i]),
          static_cast<double>(batch.old_log_probabilities[i])};
}

/// The penalty on action i, without its coefficient.
template <class T>
[[nodiscard]] policy_term penalty_of(const policy_batch<T>& batch, const policy_ratio& rho,
                                     kl_estimator estimator, std::size_t i) {
  if (batch.reference_log_probabilities.empty()) return rho.penalty(estimator);
  return policy_ratio::to_reference(static_cast<double>(batch.reference_log_probabilities[i]),
                                    static_cast<double>(batch.log_probabilities[i]), estimator);
}

struct ppo_engine {
  template <score T>
  static double run(const ppo& loss, const policy_batch<T>& batch, const outputs& out, context&) {
    const step_shares shares(batch.weights, batch.mask, batch.log_probabilities.size());
    return mean_of_terms(batch.log_probabilities.size(), shares, out, [&](std::size_t i) {
      const policy_ratio rho = ratio_of(batch, i);
      const policy_term term = loss.surrogate(rho.ratio, static_cast<double>(batch.advantages[i]));
      return loss.kl_coefficient > 0.0 ? loss.penalised(term, penalty_of(batch, rho, loss.estimator, i))
                                       : term;
    });
  }
};

struct critic_engine {
  template <score T>
  static double run(const critic& loss, const value_batch<T>& batch, const outputs& out, context&) {
    const step_shares shares(batch.weights, batch.mask, batch.values.size());
    return mean_of_terms(batch.values.size(), shares, out, [&](std::size_t i) {
      const double v = static_cast<double>(batch.values[i]), r = static_cast<double>(batch.returns[i]);
      return batch.old_values.empty() ? loss.term(v, r)
                                      : loss.term(v, r, static_cast<double>(batch.old_values[i]));
    });
  }
};

}  // namespace detail

template <>
struct engine<ppo, context> : detail::ppo_engine {};

template <>
struct engine<critic, context> : detail::critic_engine {};

template <score T>
[[nodiscard]] policy_diagnostics diagnose(const ppo& loss, const policy_batch<T>& batch, data_checks checks) {
  validate(loss);
  detail::check_policy(batch, {}, checks == data_checks::on);
  const detail::step_shares shares(batch.weights, batch.mask, batch.log_probabilities.size());
  policy_diagnostics found;
  for (std::size_t i = 0; i < batch.log_probabilities.size(); ++i) {
    const double share = shares[i];
    if (!(share > 0.0)) continue;
    const detail::policy_ratio rho = detail::ratio_of(batch, i);
    found.mean_ratio += share * rho.ratio;
    if (loss.surrogate(rho.ratio, static_cast<double>(batch.advantages[i])).clipped)
      found.clip_fraction += share;
    found.kl_k1 += share * rho.kl(kl_estimator::k1);
    found.kl_k3 += share * rho.kl(kl_estimator::k3);
    if (!batch.reference_log_probabilities.empty()) {
      found.reference_kl_k1 += share * detail::penalty_of(batch, rho, kl_estimator::k1, i).value;
      found.reference_kl_k3 += share * detail::penalty_of(batch, rho, kl_estimator::k3, i).value;
    }
    if (!batch.entropies.empty()) found.entropy += share * batch.entropies[i];
  }
  return found;
}

template <score T>
void shape_rewards(std::type_identity_t<array_view<const T>> rewards,
                   std::type_identity_t<array_view<const T>> log_probabilities,
                   std::type_identity_t<array_view<const T>> reference_log_probabilities, double coefficient,
                   kl_estimator estimator, std::span<T> shaped, const flags& mask, data_checks checks) {
  const std::size_t n = shaped.size();
  detail::check_size("rewards", rewards.size(), n, "one per shaped reward");
  detail::check_size("log_probabilities", log_probabilities.size(), n, "one per shaped reward");
  detail::check_size("reference_log_probabilities", reference_log_probabilities.size(), n,
                     "one per shaped reward");
  detail::check_optional("mask", mask.size(), n, "one per shaped reward");
  detail::require(detail::is_finite(coefficient) && coefficient >= 0.0, "coefficient: ", coefficient,
                  ", expected a finite number >= 0");
  if (checks == data_checks::on) {
    detail::check_finite("rewards", rewards, mask);
    detail::check_finite("log_probabilities", log_probabilities, mask);
    detail::check_finite("reference_log_probabilities", reference_log_probabilities, mask);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!detail::keeps(mask, i)) {
      shaped[i] = T{0};
      continue;
    }
    const detail::policy_ratio q(static_cast<double>(reference_log_probabilities[i]),
                                 static_cast<double>(log_probabilities[i]));
    const double penalty = detail::held_as<double>(coefficient * q.kl(estimator));
    shaped[i] = detail::held_as<T>(static_cast<double>(rewards[i]) - penalty);
  }
}

template <score T>
[[nodiscard]] double explained_variance(const value_batch<T>& batch, data_checks checks) {
  detail::check_critic(batch, {}, checks == data_checks::on);
  const detail::step_shares shares(batch.weights, batch.mask, batch.values.size());
  const std::size_t n = batch.values.size();
  double largest = 0.0;
  std::size_t first = n;
  for (std::size_t i = 0; i < n; ++i)
    if (shares[i] > 0.0) {
      if (first == n) first = i;
      largest = std::max({largest, std::abs(static_cast<double>(batch.values[i])),
                          std::abs(static_cast<double>(batch.returns[i]))});
    }
  if (!(largest > 0.0)) return 0.0;
  // Numbers are divided by the largest, so that no square overflows, and taken relative to the first, so that
  // the mean of equal numbers has no rounding error.
  const auto return_of = [&](std::size_t i) { return static_cast<double>(batch.returns[i]) / largest; };
  const auto rest_of = [&](std::size_t i) {
    return return_of(i) - static_cast<double>(batch.values[i]) / largest;
  };
  const auto variance = [&](auto of) {
    double mean = 0.0;
    double squares = 0.0;
    for (std::size_t i = first; i < n; ++i)
      if (shares[i] > 0.0) mean += shares[i] * (of(i) - of(first));
    for (std::size_t i = first; i < n; ++i)
      if (shares[i] > 0.0) squares += shares[i] * (of(i) - of(first) - mean) * (of(i) - of(first) - mean);
    return squares;
  };
  const double whole = variance(return_of);
  return whole > 0.0 ? std::max(1.0 - variance(rest_of) / whole, -1e290) : 0.0;
}

}  // namespace rankloss::inline RANKLOSS_ABI
