// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/draws/tied_draws.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The down-sets of a partial order of m items: the sets that contain, with each item, all items that come
/// before it. The items are partitioned into the fewest chains (Dilworth: A decomposition theorem for
/// partially ordered sets, Annals of Mathematics 51, 1950), by a maximum matching of the pairs. A down-set is
/// numbered by how many items of each chain it contains: these counts are the digits of its number, for chain
/// c from 0 to length(c). Not every number is that of a down-set.
class down_sets {
 public:
  static constexpr std::size_t most_items = 2048;  // limits the m^2 bits, and time m^3 / 64 of the matching
  static constexpr std::size_t most_chains = 32;

  /// for_each_worse(i, visit) calls visit(j) for items j > i that come after i, at least for all those that
  /// have no item between i and them. m is at most most_items, most_sets below 2^most_chains. If there are
  /// more than most_sets numbers, only `count()` may be called.
  template <class ForEachWorse>
  down_sets(std::size_t m, std::size_t most_sets, ForEachWorse for_each_worse, workspace& scratch)
      : items_(m) {
    const std::size_t words = (m + 63) / 64;
    const std::span<std::uint64_t> after = scratch.take<std::uint64_t>(m * words);
    std::fill(after.begin(), after.end(), std::uint64_t{0});
    for (std::size_t i = m; i-- > 0;)
      for_each_worse(i, [&](std::size_t j) {
        after[i * words + j / 64] |= std::uint64_t{1} << (j % 64);
        for (std::size_t w = 0; w < words; ++w) after[i * words + w] |= after[j * words + w];
      });
    const std::span<std::uint32_t> next = scratch.take<std::uint32_t>(m);
    match(after, words, next, scratch);

    chain_ = scratch.take<std::uint32_t>(m);
    position_ = scratch.take<std::uint32_t>(m);
    item_ = scratch.take<std::uint32_t>(m);
    const std::span<std::uint8_t> first = scratch.take<std::uint8_t>(m);
    std::fill(first.begin(), first.end(), std::uint8_t{1});
    for (std::size_t i = 0; i < m; ++i)
      if (next[i] != none) first[next[i]] = 0;
    std::uint32_t used = 0;
    for (std::size_t i = 0; i < m; ++i) {
      if (first[i] == 0) continue;
      const std::uint32_t start = used;
      for (auto j = static_cast<std::uint32_t>(i); j != none; j = next[j]) {
        chain_[j] = static_cast<std::uint32_t>(chains_);
        position_[j] = used - start;
        item_[used++] = j;
      }
      count_ *= static_cast<double>(used - start + 1);
      if (count_ <= static_cast<double>(most_sets))
        starts_[++chains_] = used;  // at most most_chains, since each at least doubles the count
    }
    if (count_ > static_cast<double>(most_sets)) return;
    strides_[0] = 1;
    for (std::size_t c = 0; c < chains_; ++c) strides_[c + 1] = strides_[c] * (length(c) + 1);
    needs_ = scratch.take<std::uint32_t>(m * chains_);
    std::fill(needs_.begin(), needs_.end(), 0u);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t w = 0; w < words; ++w)
        for (std::uint64_t left = after[i * words + w]; left != 0; left &= left - 1) {
          std::uint32_t& need =
              needs_[(64 * w + static_cast<std::size_t>(std::countr_zero(left))) * chains_ + chain_[i]];
          need = std::max(need, position_[i] + 1);
        }
  }

  /// How many numbers there are: the product of length + 1 over the chains.
  [[nodiscard]] double count() const noexcept { return count_; }
  [[nodiscard]] std::size_t size() const noexcept { return strides_[chains_]; }
  [[nodiscard]] std::size_t items() const noexcept { return items_; }
  [[nodiscard]] std::size_t chains() const noexcept { return chains_; }
  [[nodiscard]] std::size_t length(std::size_t c) const noexcept { return starts_[c + 1] - starts_[c]; }
  [[nodiscard]] std::size_t stride(std::size_t c) const noexcept { return strides_[c]; }
  [[nodiscard]] std::size_t chain(std::size_t i) const noexcept { return chain_[i]; }
  [[nodiscard]] std::size_t position(std::size_t i) const noexcept { return position_[i]; }
  /// The item at a position of a chain.
  [[nodiscard]] std::size_t item(std::size_t c, std::size_t position) const noexcept {
    return item_[starts_[c] + position];
  }

  /// The digits of a number; `next` and `previous` count it up and down by 1.
  struct digits {
    std::uint32_t of[most_chains] = {};
  };
  void next(digits& at) const noexcept {
    for (std::size_t c = 0; c < chains_; ++c) {
      if (at.of[c] < length(c)) {
        ++at.of[c];
        return;
      }
      at.of[c] = 0;
    }
  }
  void previous(digits& at) const noexcept {
    for (std::size_t c = 0; c < chains_; ++c) {
      if (at.of[c] > 0) {
        --at.of[c];
        return;
      }
      at.of[c] = static_cast<std::uint32_t>(length(c));
    }
  }
  [[nodiscard]] digits last() const noexcept {
    digits at;
    for (std::size_t c = 0; c < chains_; ++c) at.of[c] = static_cast<std::uint32_t>(length(c));
    return at;
  }
  [[nodiscard]] bool holds(const digits& at) const noexcept {
    for (std::size_t c = 0; c < chains_; ++c) {
      if (at.of[c] == 0) continue;
      const std::uint32_t* need = needs_.data() + item(c, at.of[c] - 1) * chains_;
      for (std::size_t k = 0; k < chains_; ++k)
        if (need[k] > at.of[k]) return false;
    }
    return true;
  }

 private:
  static constexpr std::uint32_t none = 0xffffffffu;

  /// Finds a maximum matching. next[i] is the item that follows i in its chain, or none; as few items as
  /// possible have none.
  static void match(std::span<const std::uint64_t> after, std::size_t words, std::span<std::uint32_t> next,
                    workspace& scratch) {
    const std::size_t m = next.size();
    const workspace::scope scope(scratch);
    const std::span<std::uint32_t> before = scratch.take<std::uint32_t>(m);
    const std::span<std::uint32_t> from = scratch.take<std::uint32_t>(m);
    const std::span<std::uint32_t> open = scratch.take<std::uint32_t>(m);
    const std::span<std::uint64_t> seen = scratch.take<std::uint64_t>(words);
    std::fill(before.begin(), before.end(), none);
    std::fill(next.begin(), next.end(), none);
    for (std::size_t root = 0; root < m; ++root) {
      // Finds the shortest augmenting path from `root` to an item that does not follow any item yet, by
      // breadth-first search. Every other step goes along a matched pair.
      std::fill(seen.begin(), seen.end(), std::uint64_t{0});
      std::size_t put = 0;
      open[put++] = static_cast<std::uint32_t>(root);
      std::uint32_t end = none;
      for (std::size_t taken = 0; taken < put && end == none; ++taken) {
        const std::uint32_t i = open[taken];
        for (std::size_t w = 0; w < words && end == none; ++w)
          for (std::uint64_t left = after[i * words + w] & ~seen[w]; left != 0; left &= left - 1) {
            const auto j =
                static_cast<std::uint32_t>(64 * w + static_cast<std::size_t>(std::countr_zero(left)));
            seen[w] |= std::uint64_t{1} << (j % 64);
            from[j] = i;
            if (before[j] == none) {
              end = j;
              break;
            }
            open[put++] = before[j];
          }
      }
      while (end != none) {
        const std::uint32_t i = from[end];
        const std::uint32_t freed = next[i];
        next[i] = end;
        before[end] = i;
        end = freed;
      }
    }
  }

  std::size_t items_;
  std::size_t chains_ = 0;
  double count_ = 1.0;
  std::span<std::uint32_t> chain_, position_, item_;
  std::span<std::uint32_t> needs_;  // [items, chains] how many items of a chain come before
  std::uint32_t starts_[most_chains + 1] = {};
  std::size_t strides_[most_chains + 1] = {1};
};

/// The items that are drawn after those of a partial order: their greatest score, and the sum of their
/// exponentials relative to it. The sum is 0 if there are none.
struct rest_after {
  double most = std::numeric_limits<double>::lowest();
  double sum = 0.0;
};

/// The probability that a Plackett-Luce draw, position by position, takes the items of a partial order before
/// all others and in an order that the partial order allows:
///
///     f({})      = 1
///     f(D)       = sum over the last items x of D of f(D - x) w_x / R(D - x)
///     R(D)       = sum of the weights of all items that are not in D
///
/// over down-sets D. First derivatives of log f by the log weights are computed by one backward pass, from
/// the probabilities mu(D) that the draw passes through D. Second derivatives need one forward pass for each
/// item, which carries both derivatives by the weight of that item.
///
/// Time O(sets * chains^2), with curvatures O(items * sets * chains). Scratch: 4 numbers for each set, with
/// curvatures 5. Probabilities are logarithms, and sums of weights are relative to the greatest remaining
/// score. If the log probabilities of two orders differ by less than their rounding error, their shares are
/// inexact too.
/// @param between    (a, b) -> (a - b) / temperature
/// @param slope      [m] or empty: d(log P) / d(log w_j)
/// @param curvature  [m] or empty: d2(log P) / d(log w_j)^2; needs slope as well
template <class Between>
[[nodiscard]] tied_draw draw_in_order(const down_sets& sets, std::span<const double> s,
                                      const rest_after& others, Between between, std::span<double> slope,
                                      std::span<double> curvature, workspace& scratch) {
  constexpr double unreached = std::numeric_limits<double>::lowest();
  constexpr double least = -1e300;
  const workspace::scope scope(scratch);
  const std::size_t count = sets.size();
  const std::size_t chains = sets.chains();
  const std::span<double> most = scratch.take<double>(count);
  const std::span<double> sum = scratch.take<double>(count);
  const std::span<double> ready =
      scratch.take<double>(count);  // log f(D) - log sum(D), what the next draw starts from

  down_sets::digits at = sets.last();
  most[count - 1] = others.most;
  sum[count - 1] = others.sum;
  for (std::size_t t = count - 1; t-- > 0;) {
    sets.previous(at);
    std::size_t c = 0;
    while (at.of[c] == sets.length(c)) ++c;
    const double own = s[sets.item(c, at.of[c])];
    const std::size_t more = t + sets.stride(c);
    if (own > most[more]) {
      most[t] = own;
      sum[t] = 1.0 + (sum[more] > 0.0 ? sum[more] * std::exp(between(most[more], own)) : 0.0);
    } else {
      most[t] = most[more];
      sum[t] = sum[more] + std::exp(between(own, most[more]));
    }
  }

  struct last_draw {
    std::size_t before, item;
    double probability;
  };
  last_draw draws[down_sets::most_chains];
  /// Stores in `draws` the last draws that can have led to a set, and the share of each in the probability of
  /// the set. Returns the logarithm of that probability.
  const auto look_back = [&](std::size_t t, const down_sets::digits& digits, std::size_t& found) {
    found = 0;
    double top = unreached;
    for (std::size_t c = 0; c < chains; ++c) {
      if (digits.of[c] == 0) continue;
      const std::size_t before = t - sets.stride(c);
      if (ready[before] == unreached) continue;
      const std::size_t item = sets.item(c, digits.of[c] - 1);
      const double log_probability =
          std::max(ready[before] + std::max(between(s[item], most[before]), least), least);
      top = std::max(top, log_probability);
      draws[found++] = {before, item, log_probability};
    }
    double all = 0.0;
    for (std::size_t k = 0; k < found; ++k)
      all += draws[k].probability = std::exp(draws[k].probability - top);
    for (std::size_t k = 0; k < found; ++k) draws[k].probability /= all;
    return found > 0 ? top + std::log(all) : unreached;
  };

  std::size_t found = 0;
  double log_f = 0.0;
  at = {};
  for (std::size_t t = 0; t < count; ++t, sets.next(at)) {
    log_f = t == 0 ? 0.0 : sets.holds(at) ? look_back(t, at, found) : unreached;
    ready[t] = log_f == unreached || t + 1 == count ? log_f : log_f - std::log(sum[t]);
  }
  tied_draw draw{std::max(-log_f, 0.0), 0.0, 0.0};
  if (slope.empty()) return draw;

  const auto chance_of_others = [&](std::size_t t) {
    return others.sum > 0.0 ? std::exp(between(others.most, most[t])) * (others.sum / sum[t]) : 0.0;
  };
  {
    const workspace::scope back(scratch);
    const std::span<double> chance = scratch.take<double>(count);
    std::fill(chance.begin(), chance.end(), 0.0);
    // For chain c with k of its items drawn: the sum of chance / R over such sets, relative to the smallest
    // of their greatest remaining scores.
    struct pulled {
      double most, sum;
    };
    const std::size_t width = sets.items() + chains;
    const std::span<pulled> pulls = scratch.take<pulled>(width);
    std::fill(pulls.begin(), pulls.end(), pulled{0.0, 0.0});
    const auto join = [&](pulled& to, const pulled& more) {
      if (more.sum == 0.0) return;
      if (to.sum == 0.0)
        to = more;
      else if (more.most < to.most)
        to = {more.most, to.sum * std::exp(between(more.most, to.most)) + more.sum};
      else
        to.sum += more.sum * std::exp(between(to.most, more.most));
    };
    chance[count - 1] = 1.0;
    at = sets.last();
    for (std::size_t t = count; t-- > 0; sets.previous(at)) {
      if (chance[t] == 0.0) continue;
      if (t + 1 < count) {
        draw.pull += chance[t] * chance_of_others(t);
        std::size_t cell = 0;
        for (std::size_t c = 0; c < chains; cell += sets.length(c++) + 1)
          if (at.of[c] < sets.length(c)) join(pulls[cell + at.of[c]], {most[t], chance[t] / sum[t]});
      }
      if (t == 0) break;
      look_back(t, at, found);
      for (std::size_t k = 0; k < found; ++k) chance[draws[k].before] += chance[t] * draws[k].probability;
    }
    std::size_t cell = 0;
    for (std::size_t c = 0; c < chains; cell += sets.length(c++) + 1) {
      pulled all{0.0, 0.0};
      for (std::size_t k = 0; k < sets.length(c); ++k) {
        join(all, pulls[cell + k]);
        const std::size_t item = sets.item(c, k);
        slope[item] = 1.0 - all.sum * std::exp(between(s[item], all.most));
      }
    }
  }
  if (curvature.empty()) return draw;

  const std::span<double> first = scratch.take<double>(count);
  const std::span<double> second = scratch.take<double>(count);
  /// Computes both derivatives of log f of all sets by one log weight. chance_at(t, digits) is the
  /// probability that this weight is drawn next at set t.
  const auto bend_by = [&](std::size_t own, auto chance_at) {
    down_sets::digits here{};
    for (std::size_t t = 0; t < count; ++t, sets.next(here)) {
      if (ready[t] == unreached) continue;
      double mean = 0.0;
      double bend = 0.0;
      if (t > 0) {
        look_back(t, here, found);
        for (std::size_t k = 0; k < found; ++k)
          mean += draws[k].probability * (first[draws[k].before] + (draws[k].item == own ? 1.0 : 0.0));
        for (std::size_t k = 0; k < found; ++k) {
          const double off = first[draws[k].before] + (draws[k].item == own ? 1.0 : 0.0) - mean;
          bend += draws[k].probability * (second[draws[k].before] + off * off);
        }
      }
      const double p = t + 1 < count ? chance_at(t, here) : 0.0;
      first[t] = mean - p;
      second[t] = bend - p * (1.0 - p);
    }
    return second[count - 1];
  };
  for (std::size_t i = 0; i < sets.items(); ++i)
    curvature[i] = bend_by(i, [&](std::size_t t, const down_sets::digits& here) {
      return here.of[sets.chain(i)] > sets.position(i) ? 0.0 : std::exp(between(s[i], most[t])) / sum[t];
    });
  if (others.sum > 0.0)
    draw.bend =
        bend_by(sets.items(), [&](std::size_t t, const down_sets::digits&) { return chance_of_others(t); });
  return draw;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
