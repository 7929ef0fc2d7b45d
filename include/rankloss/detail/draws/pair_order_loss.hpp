// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/draws/down_sets.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/draws/tied_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A tier that exceeds the limits; 0 items if there is none.
struct tier_excess {
  std::size_t items = 0;
  double sets = 0.0;
};

/// -log of the Plackett-Luce probability that the items of one list are drawn in any order that pairs of them
/// allow. worse(i) is the span of the items that item i is better than by a pair. It contains at least all
/// worse items that have no item between i and them.
template <class Arch, class T, class Worse>
class pair_order_loss {
 public:
  /// @param sorted     the items in an order that is allowed
  /// @param most_sets  the largest number of down-sets over which a tier is summed
  pair_order_loss(Worse worse, std::span<const std::uint32_t> sorted, double temperature,
                  std::size_t most_sets, const strided<const T>& scores, workspace& scratch)
      : worse_(worse),
        sorted_(sorted),
        n_(sorted.size()),
        temperature_(temperature),
        most_sets_(most_sets),
        scores_(scores),
        scratch_(scratch),
        items_(scratch.take<std::uint32_t>(n_)),
        position_(scratch.take<std::uint32_t>(n_)),
        ends_(scratch.take<std::uint32_t>(n_)) {
    better_begin_ = scratch.take<std::size_t>(n_ + 1);
    std::fill(better_begin_.begin(), better_begin_.end(), std::size_t{0});
    for (std::size_t i = 0; i < n_; ++i)
      for (const std::uint32_t j : worse_(i)) ++better_begin_[j + 1];
    for (std::size_t i = 0; i < n_; ++i) better_begin_[i + 1] += better_begin_[i];
    better_ = scratch.take<std::uint32_t>(better_begin_[n_]);
    const workspace::scope scope(scratch);
    const std::span<std::size_t> next = scratch.take<std::size_t>(n_);
    std::copy_n(better_begin_.begin(), n_, next.begin());
    for (std::size_t i = 0; i < n_; ++i)
      for (const std::uint32_t j : worse_(i)) better_[next[j]++] = static_cast<std::uint32_t>(i);
  }

  /// Adds the derivatives, in units of the temperature, to gradient and hessian where they are not empty.
  double operator()(std::span<double> gradient, std::span<double> hessian, tier_excess& excess) {
    std::copy(sorted_.begin(), sorted_.end(), items_.begin());
    for (std::size_t k = 0; k < n_; ++k) position_[items_[k]] = static_cast<std::uint32_t>(k);
    struct segment {
      std::size_t begin, end;
    };
    const workspace::scope scope(scratch_);
    // Segments are disjoint, and each has at least two items.
    const std::span<segment> open = scratch_.take<segment>(n_ / 2 + 1);
    std::size_t count = 0;
    if (n_ > 1) open[count++] = {0, n_};
    double value = 0.0;
    while (count > 0 && excess.items == 0) {
      const segment whole = open[--count];
      split_into_components(whole.begin, whole.end);
      for (std::size_t begin = whole.begin, end = 0; begin < whole.end; begin = end) {
        end = ends_[begin];
        if (end - begin < 2) continue;
        const std::size_t last = split_into_tiers(begin, end);
        value += component_loss(begin, end, last, gradient, hessian, excess);
        if (last > begin && end - last > 1) open[count++] = {last, end};
      }
    }
    return value;
  }

 private:
  [[nodiscard]] std::span<const std::uint32_t> worse(std::uint32_t i) const { return worse_(i); }
  [[nodiscard]] std::span<const std::uint32_t> better(std::uint32_t i) const {
    return better_.subspan(better_begin_[i], better_begin_[i + 1] - better_begin_[i]);
  }
  [[nodiscard]] bool inside(std::uint32_t i, std::size_t begin, std::size_t end) const {
    return position_[i] >= begin && position_[i] < end;
  }

  /// Moves the items of each component of [begin, end) together, keeping their order. Components are the
  /// connected components of the pairs. For the first position k of each component, ends_[k] is its end.
  void split_into_components(std::size_t begin, std::size_t end) {
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
        const std::uint32_t b = find(position_[j] - static_cast<std::uint32_t>(begin));
        root[std::max(a, b)] = std::min(a, b);  // the first position of a component represents it
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
      position_[copy[k]] = to;
    }
  }

  /// Finds the tiers of a component. For the first position k of each tier, ends_[k] is its end. Returns
  /// where the last tier begins.
  ///
  /// All items up to a position are better than all items after it if and only if each last item of the
  /// former is directly better than each first item of the latter. Such pairs have no item between them, so
  /// they are stored in any form of the order. They are counted while the position moves on.
  std::size_t split_into_tiers(std::size_t begin, std::size_t end) {
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
      for (const std::uint32_t j : neighbours)
        marked += inside(j, begin, end) ? marks[position_[j] - begin] : 0;
      return marked;
    };
    for (std::size_t k = 0; k < m; ++k) {
      waits[k] = 0;
      for (const std::uint32_t i : better(items_[begin + k])) waits[k] += inside(i, begin, end) ? 1u : 0u;
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
        if (!inside(i, begin, end) || is_last[position_[i] - begin] == 0) continue;
        is_last[position_[i] - begin] = 0;
        --lasts;
        pairs -= count(worse(i), is_first);
      }
      is_last[k] = 1;
      ++lasts;
      for (const std::uint32_t j : worse(item)) {
        if (!inside(j, begin, end) || --waits[position_[j] - begin] > 0) continue;
        is_first[position_[j] - begin] = 1;
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

  double component_loss(std::size_t begin, std::size_t end, std::size_t last, std::span<double> gradient,
                        std::span<double> hessian, tier_excess& excess) {
    const workspace::scope scope(scratch_);
    const std::span<const std::uint32_t> items = items_.subspan(begin, end - begin);
    const rest_sums rests = sum_rests<Arch>(scores_, items, temperature_, scratch_);
    return tiers_loss(
        rests, !gradient.empty(), !hessian.empty(),
        [&](auto visit) {
          for (std::size_t at = begin; at < end && excess.items == 0; at = ends_[at])
            visit(at - begin, ends_[at] - begin);
        },
        [&](std::size_t from, std::size_t to, std::span<double> d, std::span<double> slope,
            std::span<double> curvature) {
          // The last of several tiers is certain to come when the others have been drawn. The order within
          // it is a segment of its own.
          if (begin + from == last && last > begin) return tied_draw{0.0, 0.0, 0.0};
          if (!has_pair(begin + from, begin + to))
            return draw_tier<Arch>(rests, from, to, d, slope, curvature, scratch_);
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

  /// Tier [from, to) of the component that starts at `begin`.
  tied_draw draw_over_sets(const rest_sums& rests, std::size_t begin, std::size_t from, std::size_t to,
                           std::span<double> slope, std::span<double> curvature, tier_excess& excess) {
    const std::size_t m = to - from;
    if (m > down_sets::most_items) {
      excess = {m, 0.0};
      return {0.0, 0.0, 0.0};
    }
    const workspace::scope scope(scratch_);
    const auto for_each_worse = [&](std::size_t i, auto visit) {
      for (const std::uint32_t j : worse(items_[begin + from + i]))
        if (inside(j, begin + from, begin + to)) visit(position_[j] - (begin + from));
    };
    const down_sets sets(m, most_sets_, for_each_worse, scratch_);
    if (!(sets.count() <= static_cast<double>(most_sets_))) {
      excess = {m, sets.count()};
      return {0.0, 0.0, 0.0};
    }
    const rest_after others = to < rests.s.size() ? rest_after{rests.most[to], rests.sum[to]} : rest_after{};
    return draw_in_order(
        sets, rests.s.subspan(from, m), others, [&](double a, double b) { return rests.between(a, b); },
        slope, curvature, scratch_);
  }

  Worse worse_;
  std::span<const std::uint32_t> sorted_;
  std::size_t n_;
  double temperature_;
  std::size_t most_sets_;
  strided<const T> scores_;
  workspace& scratch_;
  std::span<std::uint32_t> items_;     // [n] in an allowed order within each segment
  std::span<std::uint32_t> position_;  // [n] the position of each item in items_
  std::span<std::uint32_t> ends_;      // [n] at the first position of a component or tier: its end
  std::span<std::size_t> better_begin_;
  std::span<std::uint32_t> better_;  // [pairs] the items that are directly better than each item
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
