// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/pair_derivatives.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// preference_batch: rewards of items, and pairs of items of which one is preferred to the other, as views of
/// the host's own memory.
///
/// Pair k prefers item preferred[k] to item other[k]. In a tie neither is preferred, and only the margin of
/// the pair distinguishes the two. An item may be in any number of pairs; without a pair its gradient is 0. T
/// is float or double. An infinite reward counts as the largest finite number, but at most as 1e300.
///
/// reduction::mean divides by the sum of the weights of all pairs, mean_of_relevant by that of the pairs
/// whose value is above 0.
template <score T>
struct preference_batch {
  using score_type = T;

  array_view<const T> rewards;  ///< [items] any finite number
  indices preferred{};          ///< [pairs] item, from 0
  indices other{};              ///< [pairs] another item
  reals pair_weights{};         ///< [pairs] >= 0, finite; empty: all 1
  reals margins{};              ///< [pairs] wanted lead of the preferred item, finite; empty: all 0
  flags ties{};                 ///< [pairs] not zero: a tie, which most losses refuse; empty: no ties
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// The value and derivatives of a preference loss for one pair.
struct preference_term {
  double value = 0.0;
  double slope_preferred = 0.0;      ///< d(value) / d(reward of the preferred item)
  double slope_other = 0.0;          ///< d(value) / d(reward of the other)
  double curvature_preferred = 0.0;  ///< d2(value) / d(reward of the preferred item)^2
  double curvature_other = 0.0;      ///< d2(value) / d(reward of the other)^2
  double slope_of_ties = 0.0;        ///< d(value) / d(tie parameter), for losses with ties
};

/// preference_loss: the value and the derivatives of one pair, from the rewards of the preferred item and of
/// the other and the margin of the pair. It may have options (options.hpp) and a Hessian diagonal
/// (`has_hessian`). No result is larger than 1e290 for finite arguments. Several threads may call it at a time.
template <class Loss>
concept preference_loss = requires(const Loss& loss, double reward) {
  { loss(reward, reward, reward) } -> std::same_as<preference_term>;
};

/// tie_loss: a preference loss that supports ties. `tie(preferred, other, margin)` is the term of a pair that
/// neither item wins. `validate_tie(pair)` throws when the options give ties no probability; it is called for
/// the first tie of a batch. A kernel asks `refuses_ties()` instead, which says why, or nothing. One of the options is the tie parameter, by which both terms return the
/// derivative.
template <class Loss>
concept tie_loss = preference_loss<Loss> && requires(const Loss& loss, double reward, std::size_t pair) {
  { loss.tie(reward, reward, reward) } -> std::same_as<preference_term>;
  loss.validate_tie(pair);
};

namespace detail {

/// Fails for a tie that the options give no probability.
inline void require_ties(std::string_view refusal, std::size_t pair) {
  require(refusal.empty(), refusal, ", for the tie at pair ", pair);
}

/// Fails for the first pair whose items are not two items of the batch.
inline void refuse_pair_items(const indices& preferred, const indices& other, std::size_t count) {
  const auto check = [&](std::string_view field, const indices& items) {
    for (std::size_t k = 0; k < items.size(); ++k)
      require(items[k] >= 0 && static_cast<std::uint64_t>(items[k]) < count, field, ": ", items.number(k),
              " at pair ", k, ", expected an item from 0 to below ", count, " (the number of rewards)");
  };
  check("preferred", preferred);
  check("other", other);
  for (std::size_t k = 0; k < preferred.size(); ++k)
    require(preferred[k] != other[k], "other: ", other[k], " at pair ", k,
            ", expected an item other than the preferred one");
}

/// Requires the items of pairs to be items of the batch, and those of one pair to be two.
inline void check_pair_items(const indices& preferred, const indices& other, std::size_t count) {
  chunk_items items;
  for (std::size_t first = 0; first < preferred.size(); first += chunk_items::longest) {
    const std::size_t n = std::min(chunk_items::longest, preferred.size() - first);
    items.read(preferred, other, first, n);
    if (!items.are_pairs(n, count)) return refuse_pair_items(preferred, other, count);
  }
}

/// Whether an engine looks at the items of pairs itself, where it reads them, before it writes anything.
template <class Engine>
concept checks_pair_items = requires { requires Engine::checks_pair_items; };

/// Checked also with data_checks::off, because counting a tie as a win would compute a different loss.
template <class Loss>
void check_ties(const Loss& loss, const flags& ties, std::size_t pairs) {
  if (ties.empty()) return;
  std::size_t first = 0;
  while (first < pairs && !ties[first]) ++first;
  if (first == pairs) return;
  if constexpr (tie_loss<Loss>)
    loss.validate_tie(first);
  else
    fail("ties: a tie at pair ", first, ", expected none: this loss does not know ties");
}

template <class Loss, class T>
void check_preferences(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                       bool check_data, workspace& scratch) {
  const std::size_t items = batch.rewards.size();
  const std::size_t pairs = batch.preferred.size();
  check_size("other", batch.other.size(), pairs, "one per preferred");
  check_optional("margins", batch.margins.size(), pairs, "one per pair");
  check_optional("ties", batch.ties.size(), pairs, "one per pair");
  check_outputs(out, items, "one per reward", pairs, "one per pair");
  if constexpr (!checks_pair_items<engine<Loss, context>>)
    check_pair_items(batch.preferred, batch.other, items);
  check_weights("pair_weights", batch.pair_weights, pairs, "pair", check_data);
  check_ties(loss, batch.ties, pairs);
  if (!check_data) return;
  const std::size_t bad = find_first(
      strided<const T>(batch.rewards.data(), items), [](const T& r) { return is_nan(r); }, scratch);
  require(bad == items, "rewards: nan at item ", bad, ", expected a number");
  for (std::size_t k = 0; k < batch.margins.size(); ++k)
    require(batch.margins.is_finite(k), "margins: ", batch.margins[k], " at pair ", k,
            ", expected a finite number");
}

/// What both `evaluate` do.
/// @param tie_gradient  null: not wanted
template <class Loss, class T>
double evaluate_preferences(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                            double* tie_gradient, context& ctx) {
  const sole_use alone(ctx);
  check_options(loss, out);
  check_preferences(loss, batch, out, ctx.checks == data_checks::on, ctx.scratch());
  return compute(loss, batch, out, tie_gradient, ctx);
}

}  // namespace detail

/// evaluate: the value of a preference loss over pairs, and on request its gradient by the rewards.
///
///     value         = sum_k w_k loss(pair k) / sum_k w_k
///                     (reduction::mean; without the division for sum)
///     gradient[i]   = out.scale * d(value) / d(rewards[i])
///
/// - Time O(pairs + items). Many pairs are shared by all workers; every sum is in an order that the pairs alone decide, so
///   that the bits are the same for any executor and on every run.
/// - Sums are in double; scratch O(items + pairs), and after the first calls nothing is allocated.
///   out.per_list receives the value of each pair.
/// - Edge cases: without pairs, or with weights that sum to 0: value 0, gradient 0.
/// @throws std::invalid_argument naming the field when sizes, indices, options or (data_checks::on) data are
/// invalid; then no output has been written.
template <class Loss, score T>
requires preference_loss<Loss>
double evaluate(const Loss& loss, const preference_batch<T>& batch, const outputs& out, context& ctx) {
  return detail::evaluate_preferences(loss, batch, out, nullptr, ctx);
}

/// evaluate, and the derivative by the tie parameter of the loss: tie_gradient = out.scale * d(value) /
/// d(parameter), or with update::add this number added to it. Not written when evaluate throws.
template <class Loss, score T>
requires tie_loss<Loss>
double evaluate(const Loss& loss, const preference_batch<T>& batch, const outputs& out, double& tie_gradient,
                context& ctx) {
  return detail::evaluate_preferences(loss, batch, out, &tie_gradient, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/preference_batch.hpp>
#endif
