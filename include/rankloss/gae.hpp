// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// Whether advantages are shifted and scaled to mean 0 and standard deviation 1, over all steps that count.
enum class whitening {
  none,
  population,  ///< the variance is the sum of squares / n
  bessel,      ///< the variance is the sum of squares / (n - 1)
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(whitening) noexcept {
  return {"none", "population", "bessel"};
}

/// trajectory_batch: steps of trajectories, as views of the host's own memory. Trajectory q is [offsets[q],
/// offsets[q + 1]). Empty trajectories are allowed; without offsets all steps are one trajectory. A masked
/// step is skipped as if it did not exist: the step before it is followed by the step after it.
///
/// `last_values` are the values of the states after the last steps: 0 for a trajectory that ended there, the
/// value of the state for one that was cut off. Without them all trajectories ended. Without `discounts` the
/// discount of the options holds.
template <score T>
struct trajectory_batch {
  array_view<const T> rewards;  ///< [steps] reward of the step, finite
  array_view<const T> values;   ///< [steps] value of the state before the step, finite
  indices offsets{};            ///< [trajectories + 1] non-decreasing, from 0 to the number of steps
  reals last_values{};          ///< [trajectories] of the state after the last step; empty: all 0
  reals discounts{};            ///< [steps] in [0, 1], on what follows the step; empty: the option's
  flags mask{};                 ///< [steps] zero: the step is skipped; empty: all count
};

/// gae: options of estimate_advantages.
struct gae {
  double discount = 1.0;                                      ///< 0 to 1; not used if the batch has discounts
  double lambda = 0.95;                                       ///< 0: one step ahead; 1: all rewards to come
  rankloss::whitening whitening = rankloss::whitening::none;  ///< of advantages, never of returns

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("discount", self.discount, options::share);
    visit("lambda", self.lambda, options::share);
    visit("whitening", self.whitening, options::choice<rankloss::whitening>{});
  }
};

namespace detail {

template <class T>
void check_trajectories(const trajectory_batch<T>& batch, std::size_t advantages, std::size_t returns,
                        bool check_data, workspace& scratch) {
  const std::size_t steps = batch.rewards.size();
  check_size("values", batch.values.size(), steps, "one per reward");
  const std::size_t trajectories = checked_lists(batch.offsets, steps, "rewards").count();
  check_optional("last_values", batch.last_values.size(), trajectories, "one per trajectory");
  check_optional("discounts", batch.discounts.size(), steps, "one per reward");
  check_optional("mask", batch.mask.size(), steps, "one per reward");
  check_optional("advantages", advantages, steps, "one per reward");
  check_optional("returns", returns, steps, "one per reward");
  if (!check_data) return;
  check_finite("rewards", batch.rewards, batch.mask, "step", &scratch);
  check_finite("values", batch.values, batch.mask, "step", &scratch);
  check_finite("last_values", batch.last_values, {}, "trajectory");
  for (std::size_t i = 0; i < batch.discounts.size(); ++i)
    require(!keeps(batch.mask, i) ||
                (batch.discounts.is_finite(i) && batch.discounts[i] >= 0.0 && batch.discounts[i] <= 1.0),
            "discounts: ", batch.discounts[i], " at step ", i, ", expected 0 to 1");
}

}  // namespace detail

/// estimate_advantages: how much better each step turned out than its value predicted, by generalised
/// advantage estimation (GAE).
///
///     delta_t      = r_t + discount_t V_(t+1) - V_t,     V after the last step: last_values
///     A_t          = delta_t + discount_t lambda A_(t+1),  A after the last step: 0
///     returns_t    = A_t + V_t
///     advantages_t = A_t, or whitened (A_t - mean) / deviation
///
/// Schulman, Moritz, Levine, Jordan, Abbeel: High-dimensional continuous control using generalized advantage
/// estimation, ICLR 2016.
///
/// - Time O(steps): one scan from the end of each trajectory, in double. Scratch O(steps) with whitening,
///   else none.
/// - The steps t are those that count. A masked step has no part in any sum, and no discount and no lambda is
///   applied for it. Its data are never read; its advantage and its return are 0. A reward at a masked step
///   is lost, so put it at the last step that counts.
/// - A discount of 0 ends a trajectory after its step: nothing beyond the step counts for it.
/// - Whitening is over the steps that count, of all trajectories together. With one step, or with steps that
///   are equal except for rounding (a deviation of up to 1e-13 of the largest reward, value or sum from which
///   they were computed), the result is 0, never NaN.
/// - Advantages and returns may lie where rewards and values do, and nowhere else over the inputs.
/// - Edge cases: without steps, or with empty trajectories only, nothing is written. Sums beyond the largest
///   number of the type are set to it.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) data are
/// invalid, and std::bad_alloc while scratch grows; then nothing has been written.
template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options,
                         std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns, context& ctx);

/// estimate_advantages with a context of its own, which allocates in each call with whitening.
template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options,
                         std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns = {}) {
  context ctx;
  estimate_advantages(batch, options, advantages, returns, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/gae.hpp>
#endif
