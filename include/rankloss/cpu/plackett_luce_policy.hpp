// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/draws/order_chances.hpp>
#include <rankloss/detail/orders/check_orders.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch,
                     const order_results& out, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(policy);
  const std::size_t items = batch.scores.size();
  const detail::ragged_lists lists = detail::checked_lists(batch.offsets, items, "scores");
  detail::check_optional("log_probabilities", out.log_probabilities.size(), lists.count(), "one per list");
  detail::check_optional("entropies", out.entropies.size(), lists.count(), "one per list");
  detail::check_optional("gradient", out.gradient.size(), items, "one per score");
  detail::check_upstream("upstream", out.upstream, lists.count());
  detail::check_upstream("entropy_upstream", out.entropy_upstream, lists.count());
  if (ctx.checks == data_checks::on) detail::check_policy_scores("scores", batch.scores);
  detail::check_orders(batch.orders, lists, ctx.scratch());

  lists.run(ctx, [&](std::size_t worker, std::size_t l) {
    workspace& scratch = ctx.scratch(worker);
    const workspace::scope scope(scratch);
    const std::size_t first = lists.first(l);
    const std::size_t n = lists.size(l);
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
    for (std::size_t k = 0; k < n; ++k) order[k] = static_cast<std::uint32_t>(batch.orders[first + k]);
    const detail::order_wants want{
        .temperature = policy.temperature,
        .cutoff = policy.cutoff,
        .slopes = !out.gradient.empty(),
        .entropy = !out.entropies.empty() || !out.entropy_upstream.empty(),
        .upstream = out.upstream.empty() ? 1.0 : out.upstream[l],
        .entropy_upstream = out.entropy_upstream.empty() ? 0.0 : out.entropy_upstream[l]};
    const auto found = out.gradient.visit([&](auto* gradient) {
      const auto write = [&](std::size_t i, double slope) {
        detail::put(gradient[first + i], detail::held_as<double>(slope), out.update, 0.0);
      };
      return detail::along_order<xsimd::default_arch>(
          batch.scores.subspan(first, n), std::span<const std::uint32_t>(order), want, write, scratch);
    });
    if (!out.log_probabilities.empty()) out.log_probabilities[l] = found.log_probability;
    if (!out.entropies.empty()) out.entropies[l] = found.entropy;
  });
}

template <score T>
void sample_orders(const plackett_luce_policy& policy, array_view<const T> scores, const indices& offsets,
                   std::uint32_t sample, array_view<std::uint32_t> orders, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(policy);
  const detail::ragged_lists lists = detail::checked_lists(offsets, scores.size(), "scores");
  detail::check_size("orders", orders.size(), scores.size(), "one per score");
  if (ctx.checks == data_checks::on) detail::check_policy_scores("scores", scores);
  for (std::size_t l = 0; l < lists.count(); ++l) detail::require_countable(lists.size(l));

  lists.run(ctx, [&](std::size_t worker, std::size_t l) {
    workspace& scratch = ctx.scratch(worker);
    const workspace::scope scope(scratch);
    const std::size_t first = lists.first(l);
    const std::size_t n = lists.size(l);
    using key = detail::key_of<double>;
    const std::span<const detail::keyed_item<key>> sorted =
        detail::items_by_key<key>(n, scratch, [&](std::size_t i) {
          return detail::descending_key(static_cast<double>(scores[first + i]) +
                                        policy.temperature *
                                            gumbel(policy.seed, l, static_cast<std::uint32_t>(i), sample));
        });
    detail::write_items(sorted, orders.subspan(first, n));
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI
