// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>

#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// Whether advantages are shifted and scaled to mean 0 and deviation 1, over all steps that count.
enum class whitening {
  none,
  population,  ///< the variance is a mean: the sum of squares over n
  bessel,      ///< the sum of squares over n - 1
};

/// trajectory_batch: steps of trajectories, over the host's own memory. Trajectory q is [offsets[q], offsets[q + 1]); empty ones are allowed,
/// and without offsets there is one. A masked step is skipped as if it were not there: the step before it is followed by the one after it.
template <score T>
struct trajectory_batch {
  array_view<const T> rewards;  ///< [steps] of the step, finite
  array_view<const T> values;   ///< [steps] of the state before the step, finite
  positions offsets{};          ///< [trajectories + 1] rising from 0 to the number of steps
  reals last_values{};  ///< [trajectories] of the state after the last step: 0 where it ended, its value where it was cut off; none: all ended
  reals discounts{};    ///< [steps] in [0, 1], of what follows the step; none: the option's
  flags mask{};         ///< [steps] zero: the step is skipped; none: all count
};

/// gae: options of estimate_advantages.
struct gae {
  double discount = 1.0;                                      ///< 0 to 1; not looked at where the batch has discounts
  double lambda = 0.95;                                       ///< 0: one step ahead; 1: all rewards to come
  rankloss::whitening whitening = rankloss::whitening::none;  ///< of advantages, never of returns

  void validate() const {
    detail::require(detail::within(discount, 0.0, 1.0), "discount: ", discount, ", expected 0 to 1");
    detail::require(detail::within(lambda, 0.0, 1.0), "lambda: ", lambda, ", expected 0 to 1");
  }
};

/// estimate_advantages: how much better each step went than its value said, by generalised advantage estimation.
///
///     delta_t      = r_t + discount_t V_(t+1) - V_t,     V after the last step: last_values
///     A_t          = delta_t + discount_t lambda A_(t+1),  A after the last step: 0
///     returns_t    = A_t + V_t
///     advantages_t = A_t, or whitened (A_t - mean) / deviation
///
/// Schulman, Moritz, Levine, Jordan, Abbeel: High-dimensional continuous control using generalized advantage estimation, ICLR 2016.
///
/// - Time O(steps), one scan from the end of each trajectory, in double; scratch O(steps) with whitening, else none.
/// - Steps t are those that count: a masked one has no part in any sum, in particular neither a discount nor a lambda; what it holds is never
///   read, its advantage and its return are 0. A reward at a masked step is lost: put it at the last one that counts.
/// - A discount of 0 ends what came before: nothing beyond the step counts for it.
/// - Whitening is over the steps that count, of all trajectories together. One step, or steps that are equal but for rounding (deviation up to
///   1e-13 of the largest reward, value or sum that they come from): 0, never NaN.
/// - Edge cases: no step, empty trajectories: nothing. Sums beyond the type's largest number are that.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) data do not fit, std::bad_alloc while
/// scratch grows; then nothing has been written.
template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options, std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns, context& ctx);

/// estimate_advantages with scratch of its own: allocates at each call with whitening.
template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options, std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns = {}) {
  context ctx;
  estimate_advantages(batch, options, advantages, returns, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/gae.hpp>
#endif
