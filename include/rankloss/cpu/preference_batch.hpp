// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

inline void check_pair_items(std::string_view field, const indices& items, std::size_t count) {
  for (std::size_t k = 0; k < items.size(); ++k)
    require(items[k] >= 0 && static_cast<std::uint64_t>(items[k]) < count, field, ": ", items.number(k),
            " at pair ", k, ", expected an item from 0 to below ", count, " (the number of rewards)");
}

/// Checked also with data_checks::off, because counting a tie as a win would compute a different loss.
template <class Loss>
void check_ties(const Loss& loss, const flags& ties, std::size_t pairs) {
  if (ties.empty()) return;
  require(ties.size() == pairs, "ties: size ", ties.size(), ", expected ", pairs, " (one per pair)");
  std::size_t first = 0;
  while (first < pairs && !ties[first]) ++first;
  if (first == pairs) return;
  if constexpr (tie_loss<Loss>)
    loss.validate_tie(first);
  else
    fail("ties: a tie at pair ", first, ", expected none: this loss does not know ties");
}

template <class T>
void check_preferences(const preference_batch<T>& batch, const outputs& out, bool check_values) {
  const std::size_t items = batch.rewards.size();
  const std::size_t pairs = batch.preferred.size();
  require(batch.other.size() == pairs, "other: size ", batch.other.size(), ", expected ", pairs,
          " (one per preferred)");
  require(batch.margins.empty() || batch.margins.size() == pairs, "margins: size ", batch.margins.size(),
          ", expected ", pairs, " (one per pair)");
  check_output("gradient", out.gradient, items, "one per reward");
  check_output("hessian", out.hessian, items, "one per reward");
  check_output("per_list", out.per_list.size(), pairs, "one per pair");
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  check_pair_items("preferred", batch.preferred, items);
  check_pair_items("other", batch.other, items);
  for (std::size_t k = 0; k < pairs; ++k)
    require(batch.preferred[k] != batch.other[k], "other: ", batch.other[k], " at pair ", k,
            ", expected an item other than the preferred one");
  check_weights("pair_weights", batch.pair_weights, pairs, "pair", check_values);
  if (!check_values) return;
  const std::size_t bad =
      find_first(strided<const T>(batch.rewards.data(), items), [](const T& r) { return is_nan(r); });
  require(bad == items, "rewards: nan at item ", bad, ", expected a number");
  for (std::size_t k = 0; k < batch.margins.size(); ++k)
    require(batch.margins.is_finite(k), "margins: ", batch.margins[k], " at pair ", k,
            ", expected a finite number");
}

/// Pair by pair in the order given, on the calling thread.
/// @param tie_gradient  null: not wanted
template <class Loss, class T>
double evaluate_preferences(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                            double* tie_gradient, context& ctx) {
  const sole_use alone(ctx);
  check_options(loss, out);
  check_preferences(batch, out, ctx.checks == data_checks::on);
  check_ties(loss, batch.ties, batch.preferred.size());

  workspace& scratch = ctx.scratch();
  const workspace::scope scope(scratch);
  const std::span<double> gradient = scratch.take<double>(out.gradient.size());
  const std::span<double> hessian = scratch.take<double>(out.hessian.size());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::fill(hessian.begin(), hessian.end(), 0.0);

  const std::size_t pairs = batch.preferred.size();
  constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);
  const auto reward = [&](std::size_t i) {
    return std::clamp(static_cast<double>(bounded(batch.rewards[i])), -largest, largest);
  };
  const auto term_of = [&](std::size_t k) {
    const double preferred = reward(static_cast<std::size_t>(batch.preferred[k]));
    const double other = reward(static_cast<std::size_t>(batch.other[k]));
    const double margin = batch.margins.empty() ? 0.0 : batch.margins[k];
    if constexpr (tie_loss<Loss>)
      if (!batch.ties.empty() && batch.ties[k]) return loss.tie(preferred, other, margin);
    return loss(preferred, other, margin);
  };
  const std::span<double> values =
      out.per_list.empty() ? scratch.take<double>(pairs) : std::span<double>(out.per_list);
  const bool of_relevant = batch.reduction == reduction::mean_of_relevant;
  for (std::size_t k = 0; of_relevant && k < pairs; ++k) values[k] = term_of(k).value;
  const auto weight = [&](std::size_t k) {
    return of_relevant && !(values[k] > 0.0) ? 0.0 : batch.pair_weights.empty() ? 1.0 : batch.pair_weights[k];
  };
  const weighted_mean mean(pairs, weight, batch.reduction);
  double by_ties = 0.0;
  for (std::size_t k = 0; k < pairs; ++k) {
    const auto p = static_cast<std::size_t>(batch.preferred[k]);
    const auto o = static_cast<std::size_t>(batch.other[k]);
    const double w = mean.scaled(weight(k));
    const preference_term term = term_of(k);
    values[k] = term.value;
    if (!(w > 0.0)) continue;
    by_ties += w * term.slope_of_ties;
    if (!gradient.empty()) {
      gradient[p] += w * term.slope_preferred;
      gradient[o] += w * term.slope_other;
    }
    if (!hessian.empty()) {
      hessian[p] += w * term.curvature_preferred;
      hessian[o] += w * term.curvature_other;
    }
  }
  const double factor = held_as<double>(out.scale * mean.factor());
  if (!out.gradient.empty()) write_scaled(out.gradient, gradient, factor, out.update);
  if (!out.hessian.empty()) write_scaled(out.hessian, hessian, factor, out.update);
  if (tie_gradient != nullptr)
    write_scaled(std::span(tie_gradient, 1), std::span(&by_ties, 1), factor, out.update);
  return mean(pairs, weight, [&](std::size_t k) { return values[k]; });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
