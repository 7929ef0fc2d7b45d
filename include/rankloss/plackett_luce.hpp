// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/bradley_terry.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/draws/down_sets.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/partial_order.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// partial_order_batch: lists of scored items and a partial order of each. T is float or double.
///
/// reduction::mean divides by the weights of all lists, mean_of_relevant by those of the lists with a pair.
template <score T>
struct partial_order_batch {
  using score_type = T;

  array_view<const T> scores;  ///< [items] any number but NaN
  const partial_order& order;  ///< of as many items; its lists are the lists
  reals list_weights{};        ///< [lists] >= 0, finite; none: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// What plackett_luce makes of a partial order.
enum class order_likelihood {
  exact,     ///< the probability of all orders that it allows, together
  by_pairs,  ///< the product of the probabilities of its stored pairs: a composite likelihood
};

/// plackett_luce: minus the log probability that an order drawn from the Plackett-Luce model of the scores is one that a partial order allows.
///
///     P(pi)  = prod_k w_pi(k) / sum_{j >= k} w_pi(j),   w_i = exp(s_i / t),  t = temperature
///     loss   = - log sum_pi P(pi),   over all pi in which every item comes before those it is better than
///
/// and with order_likelihood::by_pairs
///
///     loss   = sum over the stored pairs (i, j) of log(1 + exp(-(s_i - s_j) / t))
///
/// Plackett: The analysis of permutations, Applied Statistics 24 (1975). Partial orders under it: Liu, Zhao, Liao, Lu, Xia: Learning
/// Plackett-Luce mixtures from partial preferences, AAAI 2019. Counting by down-sets: De Loof, De Meyer, De Baets: Exploiting the lattice of
/// ideals representation of a poset, Fundamenta Informaticae 71 (2006).
///
/// How the exact sum is formed. Drawing is a race of exponential clocks, and so
///
/// - parts of a list with no pair between them are independent: their losses add up, and items in no pair have no say;
/// - where a part falls into blocks, each wholly better than the next, blocks are drawn one after the other, each against the sum of all later
///   items; the last one again falls into its independent parts. Of a single item that is the softmax, of items without an order among them
///   the integral of listmle's exact ties, of anything else a sum over the block's down-sets (detail/draws/down_sets.hpp).
///
/// - Time: orders by levels as listmle with exact ties, O(60 n), and O(n) where no level but the last holds more than one item. Orders by pairs
///   O(n + pairs) for each time that parts fall into blocks and the last of them into parts: once for chains, the depth for trees in which
///   no item has two better ones directly, which need no down-sets. A block of another kind: O(sets * chains^2), with a Hessian O(items sets
///   chains), where chains is the fewest that it can be covered by, and sets the product of their lengths + 1: at most 2^m for m items, but (m / 2 +
///   1)^2 for two chains side by side. by_pairs: as `ranknet` by levels, else O(pairs).
/// - Limits: a block of down-sets has at most `most_sets` sets, which any block of 20 items fits by default, and 2048 items.
/// - Scratch O(items), O(n + pairs) a worker, and 5 numbers a set of a block. In double, in parallel over lists; the same bits for any executor.
/// - Invariant under shifts; the gradient sums to 0 up to rounding. by_pairs is convex; the exact loss is for full and top-k orders.
/// - Sums are relative to the greatest score of what is left: right for scores however far apart, but that among orders of a block of down-sets whose
///   log probabilities are beyond 1e15 the shares are those of the rounded logarithms.
/// - Edge cases: a list without a pair has loss 0. Infinite scores count as the type's largest finite number. A loss beyond 1e290 is that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or a block beyond the limits.
struct plackett_luce {
  double temperature = 1.0;                               ///< 1e-15 to 1e300, in units of the scores
  order_likelihood likelihood = order_likelihood::exact;  ///< of what
  std::size_t most_sets = std::size_t{1} << 20;           ///< 2 to 2^26: of a block that is summed over down-sets

  static constexpr bool has_hessian = true;

  void validate() const {
    detail::check_temperature("temperature", temperature);
    detail::require(most_sets >= 2 && most_sets <= std::size_t{1} << 26, "most_sets: ", most_sets, ", expected 2 to 67108864");
  }
};

namespace detail {

/// A block that is beyond the limits; none: no items.
struct block_excess {
  std::size_t items = 0;
  double sets = 0.0;
};

/// The exact loss of one list whose order is by pairs.
template <class Arch, class T>
class order_by_pairs {
 public:
  order_by_pairs(const partial_order& order, std::size_t list, const plackett_luce& loss, const strided<const T>& scores, workspace& scratch)
      : order_(order),
        list_(list),
        n_(order.size(list)),
        loss_(loss),
        scores_(scores),
        scratch_(scratch),
        items_(scratch.take<std::uint32_t>(n_)),
        place_(scratch.take<std::uint32_t>(n_)),
        ends_(scratch.take<std::uint32_t>(n_)) {
    better_begin_ = scratch.take<std::size_t>(n_ + 1);
    std::fill(better_begin_.begin(), better_begin_.end(), std::size_t{0});
    for (std::size_t i = 0; i < n_; ++i)
      for (const std::uint32_t j : order.worse(list, i)) ++better_begin_[j + 1];
    for (std::size_t i = 0; i < n_; ++i) better_begin_[i + 1] += better_begin_[i];
    better_ = scratch.take<std::uint32_t>(better_begin_[n_]);
    const workspace::scope scope(scratch);
    const std::span<std::size_t> next = scratch.take<std::size_t>(n_);
    std::copy_n(better_begin_.begin(), n_, next.begin());
    for (std::size_t i = 0; i < n_; ++i)
      for (const std::uint32_t j : order.worse(list, i)) better_[next[j]++] = static_cast<std::uint32_t>(i);
  }

  /// Adds the derivatives, in units of the temperature, to those of gradient and hessian that are not empty.
  double operator()(std::span<double> gradient, std::span<double> hessian, block_excess& excess) {
    const std::span<const std::uint32_t> sorted = order_.sorted(list_);
    std::copy(sorted.begin(), sorted.end(), items_.begin());
    for (std::size_t k = 0; k < n_; ++k) place_[items_[k]] = static_cast<std::uint32_t>(k);
    struct segment {
      std::size_t begin, end;
    };
    const workspace::scope scope(scratch_);
    // Segments are apart from each other, and none has fewer than two items.
    const std::span<segment> open = scratch_.take<segment>(n_ / 2 + 1);
    std::size_t count = 0;
    if (n_ > 1) open[count++] = {0, n_};
    double value = 0.0;
    while (count > 0 && excess.items == 0) {
      const segment whole = open[--count];
      split_into_parts(whole.begin, whole.end);
      for (std::size_t begin = whole.begin, end = 0; begin < whole.end; begin = end) {
        end = ends_[begin];
        if (end - begin < 2) continue;
        const std::size_t last = split_into_blocks(begin, end);
        value += part_loss(begin, end, last, gradient, hessian, excess);
        if (last > begin && end - last > 1) open[count++] = {last, end};
      }
    }
    return value;
  }

 private:
  [[nodiscard]] std::span<const std::uint32_t> worse(std::uint32_t i) const { return order_.worse(list_, i); }
  [[nodiscard]] std::span<const std::uint32_t> better(std::uint32_t i) const {
    return better_.subspan(better_begin_[i], better_begin_[i + 1] - better_begin_[i]);
  }
  [[nodiscard]] bool inside(std::uint32_t i, std::size_t begin, std::size_t end) const { return place_[i] >= begin && place_[i] < end; }

  /// Brings the items of each part of [begin, end) together, in the order they had; ends_[k] for the first place k of each is its end.
  void split_into_parts(std::size_t begin, std::size_t end) {
    const workspace::scope scope(scratch_);
    const std::size_t m = end - begin;
    const std::span<std::uint32_t> root = scratch_.take<std::uint32_t>(m);
    for (std::size_t k = 0; k < m; ++k) root[k] = static_cast<std::uint32_t>(k);
    const auto find = [&](std::uint32_t k) {
      while (root[k] != k) k = root[k] = root[root[k]];
      return k;
    };
    for (std::size_t k = 0; k < m; ++k)
      for (const std::uint32_t j : worse(items_[begin + k])) {
        if (!inside(j, begin, end)) continue;
        const std::uint32_t a = find(static_cast<std::uint32_t>(k));
        const std::uint32_t b = find(place_[j] - static_cast<std::uint32_t>(begin));
        root[std::max(a, b)] = std::min(a, b);  // the first place of a part stands for it
      }
    const std::span<std::uint32_t> size = scratch_.take<std::uint32_t>(m);
    const std::span<std::uint32_t> copy = scratch_.take<std::uint32_t>(m);
    std::fill(size.begin(), size.end(), 0u);
    for (std::size_t k = 0; k < m; ++k) {
      root[k] = find(static_cast<std::uint32_t>(k));
      ++size[root[k]];
    }
    std::size_t at = begin;
    for (std::size_t k = 0; k < m; ++k) {
      if (size[k] == 0) continue;
      const std::size_t first = at;
      at += size[k];
      ends_[first] = static_cast<std::uint32_t>(at);
      size[k] = static_cast<std::uint32_t>(first);
    }
    std::copy_n(items_.begin() + static_cast<std::ptrdiff_t>(begin), m, copy.begin());
    for (std::size_t k = 0; k < m; ++k) {
      const std::uint32_t to = size[root[k]]++;
      items_[to] = copy[k];
      place_[copy[k]] = to;
    }
  }

  /// Finds the blocks of a part: ends_[k] for the first place k of each is its end. Returns where the last begins.
  ///
  /// All up to a place are better than all that follows if and only if each last item of the former is directly better than each first item of
  /// the latter: such pairs have nothing between them, so that they are stored whatever else is. They are counted as the place moves on.
  std::size_t split_into_blocks(std::size_t begin, std::size_t end) {
    const workspace::scope scope(scratch_);
    const std::size_t m = end - begin;
    const std::span<std::uint32_t> waits = scratch_.take<std::uint32_t>(m);
    const std::span<std::uint8_t> is_last = scratch_.take<std::uint8_t>(m);
    const std::span<std::uint8_t> is_first = scratch_.take<std::uint8_t>(m);
    std::fill(is_last.begin(), is_last.end(), std::uint8_t{0});
    std::size_t lasts = 0;
    std::size_t firsts = 0;
    std::size_t pairs = 0;
    const auto count = [&](std::span<const std::uint32_t> neighbours, std::span<const std::uint8_t> marks) {
      std::size_t marked = 0;
      for (const std::uint32_t j : neighbours) marked += inside(j, begin, end) ? marks[place_[j] - begin] : 0;
      return marked;
    };
    for (std::size_t k = 0; k < m; ++k) {
      waits[k] = 0;
      for (const std::uint32_t i : better(items_[begin + k])) waits[k] += inside(i, begin, end) ? 1 : 0;
      is_first[k] = waits[k] == 0 ? 1 : 0;
      firsts += is_first[k];
    }
    std::size_t from = begin;
    for (std::size_t k = 0; k < m; ++k) {
      const std::uint32_t item = items_[begin + k];
      pairs -= count(better(item), is_last);
      is_first[k] = 0;
      --firsts;
      for (const std::uint32_t i : better(item)) {
        if (!inside(i, begin, end) || is_last[place_[i] - begin] == 0) continue;
        is_last[place_[i] - begin] = 0;
        --lasts;
        pairs -= count(worse(i), is_first);
      }
      is_last[k] = 1;
      ++lasts;
      for (const std::uint32_t j : worse(item)) {
        if (!inside(j, begin, end) || --waits[place_[j] - begin] > 0) continue;
        is_first[place_[j] - begin] = 1;
        ++firsts;
        pairs += count(better(j), is_last);
      }
      if (k + 1 < m && pairs == lasts * firsts) {
        ends_[from] = static_cast<std::uint32_t>(begin + k + 1);
        from = begin + k + 1;
      }
    }
    ends_[from] = static_cast<std::uint32_t>(end);
    return from;
  }

  double part_loss(std::size_t begin, std::size_t end, std::size_t last, std::span<double> gradient, std::span<double> hessian,
                   block_excess& excess) {
    const workspace::scope scope(scratch_);
    const std::span<const std::uint32_t> items = items_.subspan(begin, end - begin);
    const rest_sums rests = sum_rests(scores_, items, loss_.temperature, scratch_);
    return blocks_loss(
        rests, !gradient.empty(), !hessian.empty(),
        [&](auto visit) {
          for (std::size_t at = begin; at < end && excess.items == 0; at = ends_[at]) visit(at - begin, ends_[at] - begin);
        },
        [&](std::size_t from, std::size_t to, std::span<double> d, std::span<double> slope, std::span<double> curvature) {
          // The last of several blocks is taken apart by itself, what comes last is drawn anyhow.
          if (begin + from == last && last > begin) return tied_draw{0.0, 0.0, 0.0};
          if (!has_pair(begin + from, begin + to)) return draw_block<Arch>(rests, from, to, d, slope, curvature, scratch_);
          return draw_over_sets(rests, begin, from, to, slope, curvature, excess);
        },
        [&](std::size_t k, double first, double second) {
          if (!gradient.empty()) gradient[items[k]] += first;
          if (!hessian.empty()) hessian[items[k]] += second;
        },
        scratch_);
  }

  [[nodiscard]] bool has_pair(std::size_t begin, std::size_t end) const {
    for (std::size_t k = begin; k < end; ++k)
      for (const std::uint32_t j : worse(items_[k]))
        if (inside(j, begin, end)) return true;
    return false;
  }

  /// Block [from, to) of the part that starts at `begin`.
  tied_draw draw_over_sets(const rest_sums& rests, std::size_t begin, std::size_t from, std::size_t to, std::span<double> slope,
                           std::span<double> curvature, block_excess& excess) {
    const std::size_t m = to - from;
    if (m > down_sets::most_items) {
      excess = {m, 0.0};
      return {0.0, 0.0, 0.0};
    }
    const workspace::scope scope(scratch_);
    const auto for_each_worse = [&](std::size_t i, auto visit) {
      for (const std::uint32_t j : worse(items_[begin + from + i]))
        if (inside(j, begin + from, begin + to)) visit(place_[j] - (begin + from));
    };
    const down_sets sets(m, loss_.most_sets, for_each_worse, scratch_);
    if (!(sets.count() <= static_cast<double>(loss_.most_sets))) {
      excess = {m, sets.count()};
      return {0.0, 0.0, 0.0};
    }
    const rest_after others = to < rests.s.size() ? rest_after{rests.most[to], rests.sum[to]} : rest_after{};
    return draw_in_order(
        sets, rests.s.subspan(from, m), others, [&](double a, double b) { return rests.between(a, b); }, slope, curvature, scratch_);
  }

  const partial_order& order_;
  std::size_t list_, n_;
  const plackett_luce& loss_;
  strided<const T> scores_;
  workspace& scratch_;
  std::span<std::uint32_t> items_;  // [n] in an order that is allowed within each segment
  std::span<std::uint32_t> place_;  // [n] of each item in it
  std::span<std::uint32_t> ends_;   // [n] at the first place of a part or block: its end
  std::span<std::size_t> better_begin_;
  std::span<std::uint32_t> better_;  // [pairs] the items directly better than each
};

/// The loss of one list; writes its derivatives to those of gradient and hessian that are not empty.
template <class Arch, class T>
double order_loss(const plackett_luce& loss, const partial_order& order, std::size_t l, const strided<const T>& scores, std::span<double> gradient,
                  std::span<double> hessian, block_excess& excess, workspace& scratch) {
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::fill(hessian.begin(), hessian.end(), 0.0);
  if (!order.has_pair(l)) return 0.0;
  const workspace::scope scope(scratch);
  const double t = loss.temperature;
  double value = 0.0;
  if (loss.likelihood == order_likelihood::by_pairs) {
    const std::size_t n = order.size(l);
    constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);
    const std::span<double> s = scratch.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) s[i] = std::clamp(static_cast<double>(detail::bounded(scores[i])), -largest, largest);
    if (order.by_levels()) {
      // The items of some level, one after the other; what they get is moved back to where they are.
      const std::span<const std::uint32_t> levels = order.levels(l);
      const std::span<double> y = scratch.take<double>(n);
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (levels[i] == partial_order::no_level) continue;
        s[count] = s[i];
        y[count++] = -static_cast<double>(levels[i]);
      }
      const list<double, double> items{std::span<const double>(s).first(count), std::span<const double>(y).first(count)};
      const list_outputs<double> out{gradient.first(std::min(count, gradient.size())), hessian.first(std::min(count, hessian.size()))};
      value = compute(ranknet{.function = {.temperature = t}}, items, out, scratch);
      for (const std::span<double> derivatives : {gradient, hessian}) {
        std::size_t from = count;
        for (std::size_t i = derivatives.size(); i-- > 0 && from <= i;)
          derivatives[i] = levels[i] == partial_order::no_level ? 0.0 : derivatives[--from];
      }
      return std::min(value, largest_term);
    }
    const bradley_terry of_pair{.temperature = t};
    for (std::size_t i = 0; i < n; ++i)
      for (const std::uint32_t j : order.worse(l, i)) {
        const preference_term term = of_pair(s[i], s[j], 0.0);
        value += term.value;
        if (!gradient.empty()) {
          gradient[i] += term.slope_preferred;
          gradient[j] += term.slope_other;
        }
        if (!hessian.empty()) {
          hessian[i] += term.curvature_preferred;
          hessian[j] += term.curvature_other;
        }
      }
    return std::min(value, largest_term);
  }
  if (order.by_levels()) {
    const rest_sums rests = sum_rests(scores, order.sorted(l), t, scratch);
    const list_outputs<double> out{gradient, hessian};
    value =
        grades_loss<Arch, double>(rests, order.levels(l).data(), order.sorted(l), out, order_outputs<double>(out, order.sorted(l), 1.0, t), scratch);
  } else {
    value = order_by_pairs<Arch, T>(order, l, loss, scores, scratch)(gradient, hessian, excess);
    for (double& g : gradient) g /= t;
    for (double& h : hessian) h = h / t / t;
  }
  return std::min(value, largest_term);
}

}  // namespace detail

/// evaluate: the value of plackett_luce over lists and their partial orders, and on request its gradient, as for a list_batch.
///
///     const auto order = partial_order::from_pairs(offsets, preferred, other);   // or from_chains, from_grades, from_ranks
///     evaluate(plackett_luce{}, partial_order_batch<double>{.scores = s, .order = order}, {.gradient = g}, context);
///
/// - Scratch O(items), and what one list takes a worker; after warm-up nothing is allocated. The same bits for any executor and on every run.
/// - Edge cases: no list, or weights that sum to 0: value 0, gradient 0.
/// @throws std::invalid_argument naming the field when sizes, options, (data_checks::on) data or the blocks of an order do not fit; then no output
/// has been written. std::bad_alloc while scratch grows; then neither.
template <score T, class Arch = xsimd::default_arch>
double evaluate(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  const partial_order& order = batch.order;
  const std::size_t lists = order.lists();
  const bool check = ctx.checks == data_checks::on;
  detail::check_steps("scores", batch.scores.size(), order.items(), "one per item of the order");
  detail::check_output("gradient", out.gradient, order.items(), "one per score");
  detail::check_output("hessian", out.hessian, order.items(), "one per score");
  detail::check_output("per_list", out.per_list.size(), lists, "one per list");
  detail::require(detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  detail::check_weights("list_weights", batch.list_weights, lists, "list", check);
  for (std::size_t l = 0; check && l < lists; ++l)
    for (std::size_t i = 0; i < order.size(l); ++i)
      detail::require(!detail::is_nan(batch.scores[order.first(l) + i]), "scores: nan at list ", l, ", item ", i, ", expected a number");

  workspace& scratch = ctx.scratch();
  const workspace::scope scope(scratch);
  const std::span<double> values = scratch.take<double>(lists);
  const std::span<detail::block_excess> excess = scratch.take<detail::block_excess>(lists);
  const std::span<double> gradient = scratch.take<double>(out.gradient.size());
  const std::span<double> hessian = scratch.take<double>(out.hessian.size());
  const auto weight = [&](std::size_t l) {
    if (batch.reduction == reduction::mean_of_relevant && !order.has_pair(l)) return 0.0;
    return batch.list_weights.empty() ? 1.0 : batch.list_weights[l];
  };
  const detail::weighted_mean mean(lists, weight, batch.reduction);

  constexpr std::size_t lists_a_task = 16;
  ctx.run((lists + lists_a_task - 1) / lists_a_task, [&](std::size_t worker, std::size_t task) {
    for (std::size_t l = task * lists_a_task; l < std::min(lists, (task + 1) * lists_a_task); ++l) {
      const auto of_list = [&](std::span<double> all) { return all.empty() ? all : all.subspan(order.first(l), order.size(l)); };
      excess[l] = {};
      const strided<const T> scores(batch.scores.subspan(order.first(l), order.size(l)));
      values[l] = detail::order_loss<Arch>(loss, order, l, scores, of_list(gradient), of_list(hessian), excess[l], ctx.scratch(worker));
      const double w = mean.scaled(weight(l));
      for (double& g : of_list(gradient)) g *= w;
      for (double& h : of_list(hessian)) h *= w;
    }
  });
  for (std::size_t l = 0; l < lists; ++l) {
    if (excess[l].items == 0) continue;
    detail::require(excess[l].items <= detail::down_sets::most_items, "order: a block of ", excess[l].items, " items in list ", l,
                    ", expected at most ", detail::down_sets::most_items, "; order_likelihood::by_pairs has no limit");
    detail::fail("order: a block of ", excess[l].items, " items in list ", l, " takes a table of ", excess[l].sets, " sets, expected at most ",
                 loss.most_sets, " (most_sets); order_likelihood::by_pairs has no limit");
  }

  const double factor = detail::held_as<double>(out.scale * mean.share());
  if (!out.gradient.empty()) detail::write_scaled(out.gradient, gradient, factor, out.update);
  if (!out.hessian.empty()) detail::write_scaled(out.hessian, hessian, factor, out.update);
  std::copy_n(values.begin(), out.per_list.size(), out.per_list.begin());
  return mean(lists, weight, [&](std::size_t l) { return values[l]; });
}

}  // namespace rankloss::inline RANKLOSS_ABI
