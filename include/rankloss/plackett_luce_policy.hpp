// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/data/check_data.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {

/// order_batch: lists of scored items and an order of each, over the host's own memory. List q is [offsets[q], offsets[q + 1]); empty lists are
/// allowed, and without offsets there is one.
template <score T>
struct order_batch {
  array_view<const T> scores;  ///< [items] any number but NaN
  positions orders{};          ///< [items] the items of each list, numbered from 0 in it, from the first place to the last; all of them
  positions offsets{};         ///< [lists + 1] rising from 0 to the number of items
};

/// order_results: what evaluate_orders writes. Empty spans are not written.
struct order_results {
  array_view<double> log_probabilities{};  ///< [lists]
  array_view<double> entropies{};          ///< [lists]
  real_output gradient{};                  ///< [items] d(sum over lists of upstream log P + entropy_upstream H) / d(score)
  reals upstream{};                        ///< [lists] read: factors on log probabilities, such as a policy loss's gradient; none: all 1
  reals entropy_upstream{};                ///< [lists] read: factors on entropies; none: all 0
  rankloss::update update = rankloss::update::overwrite;  ///< of the gradient
};

/// plackett_luce_policy: a policy whose actions are orders of a list, drawn place by place from the softmax of the scores of what is left.
///
///     p_kj             = exp(s_j / t) / sum over the items i at places k ... n of exp(s_i / t),   item j among them, t = temperature
///     log P            = sum_{k <= cutoff} log p_k,order(k)
///     H                = sum_{k <= cutoff} H_k,   H_k = -sum_j p_kj log p_kj
///     d(log P)/d(s_j)  = ([place of j <= cutoff] - sum_k p_kj) / t,            k <= cutoff and <= place of j
///     d(H)/d(s_j)      = -sum_k p_kj (log p_kj + H_k) / t,                     of the same k
///
/// Plackett: The analysis of permutations, Applied Statistics 24 (1975); policy gradients over it: Wei, Xu, Lan, Guo, Cheng: Reinforcement learning
/// to rank with Markov decision process, SIGIR 2017. Sampling by Gumbel noise: Yellott, 1977.
///
/// - What H is: the entropies of the choices that were met on the way along the given order. It depends on the order; for an order drawn from
///   the policy its expectation is the entropy of the policy's orders (of their first `cutoff` places). Its gradient holds the order fixed:
///   the expectation of that lacks the part that comes from the orders' probabilities, which is H as a reward.
/// - Time O(n) a list, in double, in parallel over lists; the same bits for any executor. Scratch O(longest list) a worker.
/// - Sums are taken relative to the greatest score of what is left: right for scores however far apart. Where no two are further apart than 64
///   temperatures, they are taken relative to the greatest of all, in rows of lanes: each choice's part is then right to 2e-14. Invariant under
///   shifts.
/// - Edge cases: empty list: both 0. Infinite scores count as the type's largest finite number. A log probability below -1e290 is that.
struct plackett_luce_policy {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores
  std::size_t cutoff = 0;    ///< places that count; 0: all. The order of the others has no part in anything
  std::uint64_t seed = 0;    ///< of sample_orders

  void validate() const { detail::check_temperature("temperature", temperature); }
};

/// evaluate_orders: log probabilities of orders under a policy, entropies along them, and gradients by the scores.
///
///     evaluate_orders(policy, orders, {.log_probabilities = now}, context);
///     evaluate(ppo{}, policy_batch<double>{now, old, advantages}, {.gradient = upstream}, context);
///     evaluate_orders(policy, orders, {.gradient = gradient, .upstream = upstream}, context);
///
/// @throws std::invalid_argument naming the field when sizes, offsets, options, orders or (data_checks::on) data do not fit; then nothing has
/// been written. std::bad_alloc while scratch grows; then results may be partly written.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch, const order_results& out, context& ctx);

/// evaluate_orders on the calling thread with scratch of its own.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch, const order_results& out) {
  context ctx;
  evaluate_orders(policy, batch, out, ctx);
}

/// sample_orders: an order of each list, drawn from the policy: the items by falling score + temperature * gumbel(seed, list, item, sample).
///
/// - Every item has its place, whatever the cutoff. A function of (seed, number of the list, number of the item, sample): the same for any
///   number of threads. Time: a sort.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) scores do not fit; then nothing has been
/// written. std::bad_alloc while scratch grows; then orders may be partly written.
template <score T>
void sample_orders(const plackett_luce_policy& policy, array_view<const T> scores, const positions& offsets, std::uint32_t sample,
                   array_view<std::uint32_t> orders, context& ctx);

/// sample_orders of scores in anything that has data() and size().
template <detail::array Scores>
void sample_orders(const plackett_luce_policy& policy, const Scores& scores, const positions& offsets, std::uint32_t sample,
                   array_view<std::uint32_t> orders, context& ctx) {
  sample_orders<detail::element_of<const Scores>>(policy, scores, offsets, sample, orders, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/plackett_luce_policy.hpp>
#endif
