// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Calls write(step, advantage, value) for every step that counts. Returns the largest magnitude among the
/// numbers from which an advantage was summed.
template <class T, class Write>
double scan_trajectories(const trajectory_batch<T>& batch, const gae& options, Write write) {
  const ragged_lists trajectories(batch.offsets, batch.rewards.size());
  double most = 0.0;
  for (std::size_t q = 0; q < trajectories.count(); ++q) {
    const std::size_t first = trajectories.first(q);
    const std::size_t last = trajectories.first(q + 1);
    double next_value = batch.last_values.empty() ? 0.0 : batch.last_values[q];
    double next_advantage = 0.0;
    for (std::size_t i = last; i-- > first;) {
      if (!keeps(batch.mask, i)) continue;
      const double reward = static_cast<double>(batch.rewards[i]);
      const double value = static_cast<double>(batch.values[i]);
      const double discount = batch.discounts.empty() ? options.discount : batch.discounts[i];
      const double ahead = discount * next_value;
      const double rest = discount * options.lambda * next_advantage;
      next_advantage = held_as<double>(held_as<double>(reward + ahead - value) + rest);
      next_value = value;
      most = std::max({most, std::abs(reward), std::abs(ahead), std::abs(value), std::abs(rest)});
      write(i, next_advantage, value);
    }
  }
  return most;
}

/// Shifts and scales the entries of `a` that the mask keeps to mean 0 and standard deviation 1, in place.
/// `most` is the magnitude of the numbers from which they were summed; entries that differ only by the
/// rounding of such numbers count as equal.
inline void whiten(std::span<double> a, const flags& mask, whitening how, double most) {
  double largest = 0.0;
  double first = 0.0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (keeps(mask, i)) {
      if (count++ == 0) first = a[i];
      largest = std::max(largest, std::abs(a[i]));
    }
  // Numbers are divided by the largest, so that no square overflows, and taken relative to the first, so that
  // the mean of equal numbers has no rounding error.
  double mean = 0.0;
  double squares = 0.0;
  if (largest > 0.0) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (keeps(mask, i)) mean += a[i] = a[i] / largest - first / largest;
    mean /= static_cast<double>(count);
    for (std::size_t i = 0; i < a.size(); ++i)
      if (keeps(mask, i)) {
        a[i] -= mean;
        squares += a[i] * a[i];
      }
  }
  const std::size_t freedom = how == whitening::bessel && count > 0 ? count - 1 : count;
  const double deviation = freedom > 0 ? std::sqrt(squares / static_cast<double>(freedom)) : 0.0;
  const bool differ = count > 1 && largest > 0.0 && deviation > 1e-13 * (most / largest);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = differ && keeps(mask, i) ? a[i] / deviation : 0.0;
}

}  // namespace detail

template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options,
                         std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(options);
  detail::check_trajectories(batch, advantages.size(), returns.size(), ctx.checks == data_checks::on);
  const bool whiten = options.whitening != whitening::none && !advantages.empty();
  const workspace::scope scope(ctx.scratch());
  const std::span<double> whitened = ctx.scratch().take<double>(whiten ? batch.rewards.size() : 0);

  if (!batch.mask.empty())
    for (std::size_t i = 0; i < batch.rewards.size(); ++i) {
      if (batch.mask[i]) continue;
      if (!advantages.empty()) advantages[i] = T{0};
      if (!returns.empty()) returns[i] = T{0};
    }
  const double most =
      detail::scan_trajectories(batch, options, [&](std::size_t i, double advantage, double value) {
        if (whiten)
          whitened[i] = advantage;
        else if (!advantages.empty())
          advantages[i] = detail::held_as<T>(advantage);
        if (!returns.empty()) returns[i] = detail::held_as<T>(advantage + value);
      });
  if (!whiten) return;
  detail::whiten(whitened, batch.mask, options.whitening, most);
  for (std::size_t i = 0; i < advantages.size(); ++i) advantages[i] = detail::held_as<T>(whitened[i]);
}

}  // namespace rankloss::inline RANKLOSS_ABI
