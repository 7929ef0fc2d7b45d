// SPDX-License-Identifier: BSL-1.0
#pragma once

// What losses whose gradients are sums over draws of one item among the rest are held to besides the promises of
// lists: listmle and unique_softmax.

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

namespace cuda_support {

/// Floats whose differences have other digits than they themselves, and draws of which some are certain and others
/// are not.
template <class Loss>
void agrees_where_draws_are_certain() {
  const stream own;
  rankloss::cuda::context ctx(own);
  // Scores that differ by less than digits of their distance from another one.
  const host_lists<float, int> near{.scores = {100.0f, 3.7e-6f, 3.9e-6f}, .relevance = {2, 1, 0}};
  for (const double t : {1.0, 0.9}) agrees(Loss{.temperature = t}, near, ctx);
  // The heavy item is certain, and light ones are not.
  for (const double light : {1.0, 1e-10, 6.9e-16}) {
    INFO("light weight " << light);
    const host_lists<float, int> in{.scores = {119.2f, 0.1f, 0.0f, 0.2f, -0.4f},
                                    .relevance = {3, 1, 2, 0, 0},
                                    .item_weights = {1e30, light, light, light, light}};
    agrees(Loss{}, in, ctx, {.hessian = false});
  }
  // 1 - p is less than floats are, and not what doubles have of p.
  const host_lists<float, int> heavy{
      .scores = {119.0f, 0.0f}, .relevance = {1, 0}, .item_weights = {1e30, 1e30}};
  const auto slopes = on_device(Loss{}, heavy, ctx, {.hessian = false});
  const double slope = 1e30 * std::exp(-119.0);
  CHECK(std::abs(static_cast<double>(slopes.gradient[1]) - slope) < 2e-6 * slope);
  CHECK(slopes.gradient[0] == -slopes.gradient[1]);
}

/// The value of one list, which is next to nothing, is that of the CPU relative to itself.
template <class Loss>
void agrees_where_the_order_is_certain(const Loss& loss, const host_lists<float, int>& in,
                                       rankloss::cuda::context& ctx) {
  agrees(loss, in, ctx, {.hessian = false});
  const double value = on_host(loss, in).value;
  CHECK(std::abs(on_device(loss, in, ctx).value - value) < 2e-6 * value);
}

}  // namespace cuda_support
