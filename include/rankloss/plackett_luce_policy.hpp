// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// order_batch: lists of scored items and an order of each, as views of the host's own memory. List q is
/// [offsets[q], offsets[q + 1]). Empty lists are allowed; without offsets all items are one list.
template <score T>
struct order_batch {
  array_view<const T> scores;  ///< [items] any number except NaN
  positions orders{};          ///< [items] all items of each list, from 0, in the order of their places
  positions offsets{};         ///< [lists + 1] non-decreasing, from 0 to the number of items
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

/// plackett_luce_policy: a policy whose actions are orders of a list. An order is drawn place by place, each
/// time from the softmax of the scores of the remaining items.
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
/// - H is the sum of the entropies of the choices along the given order, so it depends on the order. For an
///   order drawn from the policy, its expectation is the entropy of the policy's orders (of their first
///   `cutoff` places). The gradient of H holds the order fixed. Its expectation therefore lacks one part of
///   the gradient of that entropy, the part through the probabilities of the orders; it is obtained by using
///   H as a reward.
/// - Time O(n) for each list, in double, in parallel over lists; the same bits for any executor. Scratch
///   O(longest list) for each worker.
/// - Sums are taken relative to the largest score that remains, so scores may be any distance apart. Where no
///   two scores are further apart than 64 temperatures, sums are taken relative to the largest score of the
///   list, with SIMD; each choice's part is then accurate to 2e-14. Invariant under shifts.
/// - Edge cases: for an empty list both are 0. Infinite scores count as the largest finite number of the
///   type. A log probability below -1e290 is set to -1e290.
struct plackett_luce_policy {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores
  std::size_t cutoff = 0;    ///< places that count; 0: all. The order of the others has no effect
  std::uint64_t seed = 0;    ///< of sample_orders

  void validate() const { detail::check_temperature("temperature", temperature); }
};

namespace detail {

struct order_lists {
  const positions& offsets;
  std::size_t items;

  [[nodiscard]] std::size_t count() const { return offsets.empty() ? 1 : offsets.size() - 1; }
  [[nodiscard]] std::size_t first(std::size_t l) const { return offsets.empty() ? 0 : static_cast<std::size_t>(offsets[l]); }
  [[nodiscard]] std::size_t size(std::size_t l) const { return offsets.empty() ? items : first(l + 1) - first(l); }

  /// Calls body(worker, list), with several lists in each task.
  template <class Body>
  void run(context& ctx, Body body) const {
    constexpr std::size_t block = 64;
    const std::size_t lists = count();
    ctx.run((lists + block - 1) / block, [&](std::size_t worker, std::size_t task) {
      for (std::size_t l = task * block; l < std::min(lists, (task + 1) * block); ++l) body(worker, l);
    });
  }
};

template <class T>
void check_policy_scores(std::string_view field, std::span<const T> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) require(!is_nan(scores[i]), field, ": nan at item ", i, ", expected a number");
}

/// Orders are checked also with data_checks::off, because memory is read at what they hold.
inline void check_orders(const positions& orders, const order_lists& lists, workspace& scratch) {
  check_steps("orders", orders.size(), lists.items, "one per score");
  for (std::size_t l = 0; l < lists.count(); ++l) {
    const workspace::scope scope(scratch);
    const std::size_t first = lists.first(l);
    const std::size_t n = lists.size(l);
    require_countable(n);
    const std::span<std::uint8_t> seen = scratch.take<std::uint8_t>(n);
    std::fill(seen.begin(), seen.end(), std::uint8_t{0});
    for (std::size_t k = 0; k < n; ++k) {
      const std::int64_t item = orders[first + k];
      require(item >= 0 && static_cast<std::size_t>(item) < n, "orders: ", orders.number(first + k), " at list ", l, ", place ", k,
              ", expected an item from 0 to ", n - 1);
      require(seen[static_cast<std::size_t>(item)] == 0, "orders: ", item, " at list ", l, ", place ", k, ", expected each item once");
      seen[static_cast<std::size_t>(item)] = 1;
    }
  }
}

inline void check_upstream(std::string_view field, const reals& upstream, std::size_t lists) {
  if (upstream.empty()) return;
  check_steps(field, upstream.size(), lists, "one per list");
  check_finite(field, upstream, {}, "list");
}

struct order_chances {
  double log_probability = 0.0;
  double entropy = 0.0;
};

/// Which results are wanted of one list.
struct order_wants {
  bool slopes, entropy;
  double upstream, entropy_upstream;
};

/// Computes one list. If slopes are wanted, calls write(item, slope of upstream log P + entropy_upstream H)
/// once for each item. For scores at any distance.
template <class T, class Write>
order_chances along_order_apart(const strided<const T>& scores, std::span<const std::uint32_t> order, const plackett_luce_policy& policy,
                                const order_wants& want, Write write, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::size_t n = order.size();
  const std::size_t places = policy.cutoff > 0 ? std::min(policy.cutoff, n) : n;
  const rest_sums rests = sum_rests(scores, order, policy.temperature, scratch);
  // The mean distance, in temperatures, of the remaining items from the largest of them: H_k = log sum +
  // mean.
  const std::span<double> mean = scratch.take<double>(n);
  double distance = 0.0;
  for (std::size_t k = n; k-- > 0;) {
    if (k + 1 < n && rests.most[k] > rests.most[k + 1]) {
      const double rise = rests.between(rests.most[k], rests.most[k + 1]);
      const double fall = std::exp(-rise);
      distance = fall * distance + (fall * rise) * rests.sum[k + 1];
    } else {
      const double own = rests.between(rests.most[k], rests.s[k]);
      distance += own * std::exp(-own);
    }
    mean[k] = distance / rests.sum[k];
  }
  order_chances found;
  for (std::size_t k = 0; k < places; ++k) {
    const double log_sum = std::log(rests.sum[k]);
    found.log_probability -= log_sum + rests.between(rests.most[k], rests.s[k]);
    found.entropy += log_sum + mean[k];
  }
  found.log_probability = std::max(found.log_probability, -1e290);
  if (!want.slopes) return found;

  // Sums over the places so far of p and of p (log p + H), for an item as large as the largest remaining one.
  double p = 0.0;
  double bent = 0.0;
  double greatest = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    if (k < places) {
      if (k > 0) {
        const double drop = rests.between(greatest, rests.most[k]);
        const double fall = std::exp(-drop);
        bent = fall * bent - (fall * drop) * p;
        p *= fall;
      }
      greatest = rests.most[k];
      p += 1.0 / rests.sum[k];
      bent += mean[k] / rests.sum[k];
    }
    const double below = rests.between(greatest, rests.s[k]);
    const double share = std::exp(-below);
    const double of_log = (k < places ? 1.0 : 0.0) - share * p;
    const double of_entropy = (share * below) * p - share * bent;
    write(order[k], (held_as<double>(want.upstream * of_log) + held_as<double>(want.entropy_upstream * of_entropy)) / policy.temperature);
  }
  return found;
}

/// The same by sums of exponentials relative to the largest score of the list, in rows of lanes. It is used
/// where no score is so far below the largest that digits are lost (`near_enough`). It goes block by block,
/// so that for each item only its exponential and the inverse of its remaining sum go to memory and back.
/// Entropy: whether entropies, or slopes of them, are wanted.
template <class Arch, bool Entropy, class T, class Write>
order_chances along_order_near(std::span<const T> scores, std::span<const std::uint32_t> order, const plackett_luce_policy& policy, T greatest,
                               const order_wants& want, Write write, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr std::size_t block = 512;
  static_assert(block % w == 0);
  const workspace::scope scope(scratch);
  const std::size_t n = order.size();
  const std::size_t places = policy.cutoff > 0 ? std::min(policy.cutoff, n) : n;
  const std::size_t padded = padded_rows(n, w);
  const score_distance<Arch, T> below(greatest, policy.temperature);
  const bool bends = Entropy && want.slopes;
  double* e = scratch.take<double>(padded).data();                    // exp(-d)
  double* r = scratch.take<double>(padded).data();                    // sums over the rest, their inverses, sums of these
  double* m = scratch.take<double>(Entropy ? padded : 0).data();      // the same of d exp(-d), over the sum over the rest
  double* far = scratch.take<double>(bends ? padded : block).data();  // d, below the greatest in temperatures
  alignas(64) T x[block];
  alignas(64) double slopes[block];
  const T* s = scores.data();
  std::fill(r + n, r + padded, 1.0);  // computed along with the last row, and discarded

  // For a row at place k: the values that count, else 0.
  const V lane = lane_numbers<V>();
  const auto counted = [&](std::size_t k, const V& values) {
    return xsimd::select(lane < V(static_cast<double>(places) - static_cast<double>(k)), values, V(0.0));
  };
  V losses(0.0);
  V entropies(0.0);
  double rest = 0.0;
  double moment = 0.0;
  for (std::size_t begin = padded_rows(n, block); begin > 0;) {
    begin -= block;
    const std::size_t count = std::min(block, n - begin);
    double* d = far + (bends ? begin : 0);
    for (std::size_t k = 0; k < count; ++k) x[k] = s[order[begin + k]];
    for_rows<Arch>(count, [&](std::size_t k, auto items) {
      const V own = below(load_items<Arch>(x + k, items, below.greatest()));
      const V share = exp_minus(own);
      own.store_aligned(d + k);
      share.store_aligned(e + begin + k);
      if constexpr (Entropy) (own * share).store_aligned(m + begin + k);
    });
    rest = sums_from_the_end(e + begin, count, rest, r + begin);
    if constexpr (Entropy) moment = sums_from_the_end(m + begin, count, moment, m + begin);
    for (std::size_t k = 0; k < count; k += w) {
      const std::size_t at = begin + k;
      const V sum = V::load_aligned(r + at);
      const V inverse = V(1.0) / sum;
      const V log_sum = log_positive(sum, log_tail_7);
      losses += counted(at, log_sum + V::load_aligned(d + k));
      counted(at, inverse).store_aligned(r + at);
      if constexpr (Entropy) {
        const V mean = V::load_aligned(m + at) * inverse;
        entropies += counted(at, log_sum + mean);
        counted(at, mean * inverse).store_aligned(m + at);
      }
    }
  }
  const order_chances found{0.0 - std::max(sum_of(losses), 0.0), std::max(sum_of(entropies), 0.0)};
  if (!want.slopes) return found;

  const auto held = [](const V& values) {
    constexpr double largest = std::numeric_limits<double>::max();
    return xsimd::min(xsimd::max(values, V(-largest)), V(largest));
  };
  double pull = 0.0;
  double bent = 0.0;
  for (std::size_t begin = 0; begin < n; begin += block) {
    const std::size_t count = std::min(block, n - begin);
    pull = running_sums(r + begin, count, pull);
    if constexpr (Entropy) bent = running_sums(m + begin, count, bent);
    for (std::size_t k = 0; k < count; k += w) {
      const std::size_t at = begin + k;
      const V share = V::load_aligned(e + at);
      const V p = V::load_aligned(r + at);
      V slope = held(V(want.upstream) * (counted(at, V(1.0)) - share * p));
      if constexpr (Entropy) slope += held(V(want.entropy_upstream) * (share * (V::load_aligned(far + at) * p - V::load_aligned(m + at))));
      (slope / V(policy.temperature)).store_aligned(slopes + k);
    }
    for (std::size_t k = 0; k < count; ++k) write(order[begin + k], slopes[k]);
  }
  return found;
}

template <class Arch, class T, class Write>
order_chances along_order_near(std::span<const T> scores, std::span<const std::uint32_t> order, const plackett_luce_policy& policy, T greatest,
                               const order_wants& want, Write write, workspace& scratch) {
  return want.entropy ? along_order_near<Arch, true>(scores, order, policy, greatest, want, write, scratch)
                      : along_order_near<Arch, false>(scores, order, policy, greatest, want, write, scratch);
}

/// Whether sums of exponentials relative to the largest score keep their digits.
template <class T>
[[nodiscard]] bool near_enough(T least, T most, double temperature) noexcept {
  return is_finite(least) && is_finite(most) && (0.5 * static_cast<double>(most) - 0.5 * static_cast<double>(least)) * 2.0 <= 64.0 * temperature;
}

/// One list, by the method that fits it.
template <class Arch, class T, class Write>
order_chances along_order(std::span<const T> scores, std::span<const std::uint32_t> order, const plackett_luce_policy& policy,
                          const order_wants& want, Write write, workspace& scratch) {
  if (scores.empty()) return {};
  const auto [least, most] = extremes_of(scores);
  if (near_enough(least, most, policy.temperature)) return along_order_near<Arch>(scores, order, policy, most, want, write, scratch);
  return along_order_apart(strided<const T>(scores), order, policy, want, write, scratch);
}

}  // namespace detail

/// evaluate_orders: log probabilities of orders under a policy, entropies along them, and gradients by the scores.
///
///     evaluate_orders(policy, orders, {.log_probabilities = now}, context);
///     evaluate(ppo{}, policy_batch<double>{now, old, advantages}, {.gradient = upstream}, context);
///     evaluate_orders(policy, orders, {.gradient = gradient, .upstream = upstream}, context);
///
/// @throws std::invalid_argument naming the field when sizes, offsets, options, orders or (data_checks::on)
/// data are invalid; then nothing has been written. std::bad_alloc while scratch grows; then results may be
/// partly written.
template <score T, class Arch = xsimd::default_arch>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch, const order_results& out, context& ctx) {
  const detail::sole_use alone(ctx);
  policy.validate();
  const std::size_t items = batch.scores.size();
  detail::check_offsets(batch.offsets, items, "scores");
  const detail::order_lists lists{batch.offsets, items};
  detail::check_output("log_probabilities", out.log_probabilities.size(), lists.count(), "one per list");
  detail::check_output("entropies", out.entropies.size(), lists.count(), "one per list");
  detail::check_output("gradient", out.gradient.size(), items, "one per score");
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
    const detail::order_wants want{.slopes = !out.gradient.empty(),
                                   .entropy = !out.entropies.empty() || !out.entropy_upstream.empty(),
                                   .upstream = out.upstream.empty() ? 1.0 : out.upstream[l],
                                   .entropy_upstream = out.entropy_upstream.empty() ? 0.0 : out.entropy_upstream[l]};
    const auto found = out.gradient.visit([&](auto* gradient) {
      using G = std::remove_pointer_t<decltype(gradient)>;
      const bool add = out.update == update::add;
      const auto write = [&](std::size_t i, double slope) {
        G& g = gradient[first + i];
        g = detail::held_as<G>((add ? static_cast<double>(g) : 0.0) + detail::held_as<double>(slope));
      };
      return detail::along_order<Arch>(batch.scores.subspan(first, n), std::span<const std::uint32_t>(order), policy, want, write, scratch);
    });
    if (!out.log_probabilities.empty()) out.log_probabilities[l] = found.log_probability;
    if (!out.entropies.empty()) out.entropies[l] = found.entropy;
  });
}

/// evaluate_orders on the calling thread with a context of its own.
template <score T>
void evaluate_orders(const plackett_luce_policy& policy, const order_batch<T>& batch, const order_results& out) {
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
void sample_orders(const plackett_luce_policy& policy, array_view<const T> scores, const positions& offsets, std::uint32_t sample,
                   array_view<std::uint32_t> orders, context& ctx) {
  using record = detail::keyed<detail::key_of<double>, std::uint32_t>;
  const detail::sole_use alone(ctx);
  policy.validate();
  detail::check_offsets(offsets, scores.size(), "scores");
  detail::check_steps("orders", orders.size(), scores.size(), "one per score");
  if (ctx.checks == data_checks::on) detail::check_policy_scores("scores", scores);
  const detail::order_lists lists{offsets, scores.size()};
  for (std::size_t l = 0; l < lists.count(); ++l) detail::require_countable(lists.size(l));

  lists.run(ctx, [&](std::size_t worker, std::size_t l) {
    workspace& scratch = ctx.scratch(worker);
    const workspace::scope scope(scratch);
    const std::size_t first = lists.first(l);
    const std::size_t n = lists.size(l);
    std::span<record> records = scratch.take<record>(n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto item = static_cast<std::uint32_t>(i);
      records[i] = {detail::descending_key(static_cast<double>(scores[first + i]) + policy.temperature * gumbel(policy.seed, l, item, sample)), item};
    }
    records = detail::sort_by_key(records, scratch.take<record>(n), scratch);
    for (std::size_t k = 0; k < n; ++k) orders[first + k] = records[k].payload;
  });
}

/// sample_orders for scores in any array with data() and size().
template <detail::array Scores>
void sample_orders(const plackett_luce_policy& policy, const Scores& scores, const positions& offsets, std::uint32_t sample,
                   array_view<std::uint32_t> orders, context& ctx) {
  sample_orders<detail::element_of<const Scores>>(policy, scores, offsets, sample, orders, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
