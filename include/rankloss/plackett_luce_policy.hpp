// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/options.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {

/// order_batch: lists of scored items and an order of each, as views of the host's own memory. List q is
/// [offsets[q], offsets[q + 1]). Empty lists are allowed; without offsets all items are one list.
template <score T>
struct order_batch {
  array_view<const T> scores;  ///< [items] any number except NaN
  indices orders{};            ///< [items] all items of each list, from 0, in the order of their positions
  indices offsets{};           ///< [lists + 1] non-decreasing, from 0 to the number of items
};

/// order_results: what evaluate_orders writes, and the factors that it reads. Empty outputs are not written.
///
/// The gradient is d(sum over lists of upstream log P + entropy_upstream H) / d(score). `upstream` may be the
/// gradient of a policy loss.
struct order_results {
  array_view<double> log_probabilities{};                 ///< [lists]
  array_view<double> entropies{};                         ///< [lists]
  real_output gradient{};                                 ///< [items], see above
  reals upstream{};                                       ///< [lists] read: factors on log P; empty: all 1
  reals entropy_upstream{};                               ///< [lists] read: factors on H; empty: all 0
  rankloss::update update = rankloss::update::overwrite;  ///< of the gradient
};

/// plackett_luce_policy: a policy whose actions are orders of a list. An order is drawn position by position,
/// each time from the softmax of the scores of the remaining items.
///
///     p_kj             = exp(s_j / t) / sum over the items i at positions k ... n of exp(s_i / t),
///                        item j among them, t = temperature
///     log P            = sum_{k <= cutoff} log p_k,order(k)
///     H                = sum_{k <= cutoff} H_k,   H_k = -sum_j p_kj log p_kj
///     d(log P)/d(s_j)  = ([position of j <= cutoff] - sum_k p_kj) / t,
///                        k <= cutoff and <= position of j
///     d(H)/d(s_j)      = -sum_k p_kj (log p_kj + H_k) / t,                     of the same k
///
/// Plackett: The analysis of permutations, Applied Statistics 24 (1975); policy gradients over it: Wei, Xu,
/// Lan, Guo, Cheng: Reinforcement learning to rank with Markov decision process, SIGIR 2017. Sampling by
/// Gumbel noise: Yellott, 1977.
///
/// - H is the sum of the entropies of the choices along the given order, so it depends on the order. For an
///   order drawn from the policy, its expectation is the entropy of the policy's orders (of their first
///   `cutoff` positions). The gradient of H holds the order fixed. Its expectation therefore lacks one part
///   of the gradient of that entropy, the part through the probabilities of the orders; it is obtained by
///   using H as a reward.
/// - Time O(n) for each list, in double, in parallel over lists; the same bits for any executor. Scratch
///   O(longest list) for each worker.
/// - Sums are taken relative to the largest score that remains, so scores may be any distance apart. Where no
///   two scores are further apart than 64 temperatures, sums are taken relative to the largest score of the
///   list, with SIMD; each choice's part is then accurate to 2e-14. Invariant under shifts.
/// - Edge cases: for an empty list both are 0. Infinite scores count as the largest finite number of the
///   type. A log probability below -1e290 is set to -1e290.
struct plackett_luce_policy {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores
  std::size_t cutoff = 0;    ///< positions that count; 0: all. The order of the others has no effect
  std::uint64_t seed = 0;    ///< of sample_orders

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("cutoff", self.cutoff, options::cutoff);
    visit("seed", self.seed, options::seed);
  }
};

/// evaluate_orders: log probabilities of orders under a policy, entropies along them, and gradients by the
/// scores.
///
///     evaluate_orders(policy, orders, {.log_probabilities = now}, context);
///     evaluate(ppo{}, policy_batch<double>{now, old, advantages}, {.gradient = upstream}, context);
///     evaluate_orders(policy, orders, {.gradient = gradient, .upstream = upstream}, context);
///
/// @throws std::invalid_argument naming the field when sizes, offsets, options, orders or (data_checks::on)
/// data are invalid; then nothing has been written. std::bad_alloc while scratch grows; then results may be
/// partly written.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch,
                     const order_results& out, context& ctx);

/// evaluate_orders on the calling thread with a context of its own.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch,
                     const order_results& out) {
  context ctx;
  evaluate_orders(policy, batch, out, ctx);
}

/// sample_orders: an order of each list, drawn from the policy: the items by descending score + temperature *
/// gumbel(seed, list, item, sample).
///
/// - The order contains every item, whatever the cutoff. It is a function of (seed, number of the list,
///   number of the item, sample): the same for any number of threads. Time: a sort.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) scores
/// are invalid; then nothing has been written. std::bad_alloc while scratch grows; then orders may be partly
/// written.
template <score T>
void sample_orders(const plackett_luce_policy& policy, array_view<const T> scores, const indices& offsets,
                   std::uint32_t sample, array_view<std::uint32_t> orders, context& ctx);

/// sample_orders for scores in any array with data() and size().
template <detail::array Scores>
void sample_orders(const plackett_luce_policy& policy, const Scores& scores, const indices& offsets,
                   std::uint32_t sample, array_view<std::uint32_t> orders, context& ctx) {
  sample_orders<detail::element_of<const Scores>>(policy, scores, offsets, sample, orders, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/plackett_luce_policy.hpp>
#endif
