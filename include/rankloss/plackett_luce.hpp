// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/partial_order.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// partial_order_batch: lists of scored items and a partial order of each. T is float or double.
///
/// reduction::mean divides by the sum of the weights of all lists, mean_of_relevant by that of the lists with
/// a pair.
template <score T>
struct partial_order_batch {
  using score_type = T;

  array_view<const T> scores;  ///< [items] any number except NaN
  const partial_order& order;  ///< of the same number of items; its lists are the lists
  reals list_weights{};        ///< [lists] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// Which likelihood of a partial order plackett_luce computes.
enum class order_likelihood {
  exact,     ///< the probability of all orders together that it allows
  by_pairs,  ///< the product of the probabilities of its stored pairs, a composite likelihood
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(order_likelihood) noexcept {
  return {"exact", "by_pairs"};
}

/// plackett_luce: minus the log probability that an order drawn from the Plackett-Luce model of the scores is
/// one that a partial order allows.
///
///     P(pi)  = prod_k w_pi(k) / sum_{j >= k} w_pi(j),   w_i = exp(s_i / t),  t = temperature
///     loss   = - log sum_pi P(pi),   over all pi in which every item comes before those it is better than
///
/// and with order_likelihood::by_pairs
///
///     loss   = sum over the stored pairs (i, j) of log(1 + exp(-(s_i - s_j) / t))
///
/// Plackett: The analysis of permutations, Applied Statistics 24 (1975). Partial orders under it: Liu, Zhao,
/// Liao, Lu, Xia: Learning Plackett-Luce mixtures from partial preferences, AAAI 2019. Counting by down-sets:
/// De Loof, De Meyer, De Baets: Exploiting the lattice of ideals representation of a poset, Fundamenta
/// Informaticae 71 (2006).
///
/// How the exact sum is formed. Drawing without replacement is a race of exponential clocks. Therefore
///
/// - components of a list with no pair between them are independent: their losses add up, and items in no
///   pair have no say;
/// - where a component falls into tiers, each wholly better than the next, tiers are drawn one after the
///   other, each against the sum of all later items; the last one again falls into its independent
///   components. Of a single item that is the softmax, of items without an order among them the integral of
///   listmle's exact ties, of anything else a sum over the tier's down-sets (detail/draws/down_sets.hpp).
///
/// - Time for orders by levels: that of listmle with exact ties, O(60 n), and O(n) if only the last level
///   holds more than one item.
/// - Time for orders by pairs: O(n + pairs) for each time that components divide into tiers and the last
///   tier into components. This happens once for chains. For trees in which no item has two better ones
///   directly it happens as often as the tree is deep, without down-sets.
/// - Time for another tier: O(sets * chains^2), with a Hessian O(items sets chains). `chains` is the
///   smallest number of chains that covers the tier, and `sets` is the product of their lengths + 1: at most
///   2^m for m items, but only (m / 2 + 1)^2 for two chains side by side. Time of by_pairs: as `ranknet` for
///   orders by levels, else O(pairs).
/// - Limits: a tier that needs down-sets has at most `most_sets` of them and 2048 items. By default any
///   tier of 20 items is within the limit.
/// - Scratch O(items), O(n + pairs) for each worker, and 5 numbers for each set of a tier. Computed in
///   double, in parallel over lists; the same bits for any executor.
/// - Invariant under shifts; the gradient sums to 0 up to rounding. by_pairs is convex; the exact loss is
///   convex for full and top-k orders.
/// - Sums are taken relative to the largest score that remains, so scores may be any distance apart. One
///   limit: where the log probabilities of the orders of a tier of down-sets exceed 1e15 in magnitude, the
///   shares of these orders are those of the rounded logarithms.
/// - Edge cases: a list without a pair has loss 0. Infinite scores count as the largest finite number of the
///   type. Losses beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or a tier is beyond the
/// limits.
struct plackett_luce {
  double temperature = 1.0;                               ///< 1e-15 to 1e300, in units of the scores
  order_likelihood likelihood = order_likelihood::exact;  ///< which likelihood
  std::size_t most_sets = std::size_t{1} << 20;  ///< 2 to 2^26: of a tier that is summed over down-sets

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("likelihood", self.likelihood, options::choice<order_likelihood>{});
    visit("most_sets", self.most_sets, options::whole{.least = 2, .most = std::size_t{1} << 26});
  }
};

namespace detail {

template <class T>
void check_partial_orders(const partial_order_batch<T>& batch, const outputs& out, bool check_data) {
  const partial_order& order = batch.order;
  check_size("scores", batch.scores.size(), order.items(), "one per item of the order");
  check_outputs(out, order.items(), "one per score", order.lists(), "one per list");
  check_weights("list_weights", batch.list_weights, order.lists(), "list", check_data);
  for (std::size_t l = 0; check_data && l < order.lists(); ++l)
    for (std::size_t i = 0; i < order.size(l); ++i)
      require(!is_nan(batch.scores[order.first(l) + i]), "scores: nan at list ", l, ", item ", i,
              ", expected a number");
}

}  // namespace detail

/// evaluate: the value of plackett_luce over lists and their partial orders, and on request its gradient, as
/// for a list_batch.
///
///     // or from_chains, from_grades, from_ranks
///     const auto order = partial_order::from_pairs(offsets, preferred, other);
///     evaluate(plackett_luce{}, partial_order_batch<double>{.scores = s, .order = order},
///              {.gradient = g}, context);
///
/// - Scratch O(items), and for each worker what one list takes; after the first calls nothing is allocated.
///   The same bits for any executor and on every run.
/// - Edge cases: without lists, or with weights that sum to 0: value 0, gradient 0.
/// @throws std::invalid_argument naming the field when sizes, options, (data_checks::on) data or the tiers
/// of an order are invalid, and std::bad_alloc while scratch grows; then no output has been written.
template <score T>
double evaluate(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs& out,
                context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_partial_orders(batch, out, ctx.checks == data_checks::on);
  return detail::compute(loss, batch, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/plackett_luce.hpp>
#endif
