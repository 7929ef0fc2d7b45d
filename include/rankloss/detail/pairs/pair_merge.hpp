// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

/// Sums of hinges over the pairs of different level in O(n log L) for L levels: the levels are merged two by
/// two, as in a merge sort. When two sorted halves are merged, all items of one are preferred to all items of
/// the other, and
///
///     e = margin - z_preferred + z_other > 0
///
/// holds for a set of other items that only grows from preferred item to preferred item. New ones are added
/// to the sums of 1, e and e^2, and nothing is subtracted, so no digits are lost to cancellation.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Of n > 0 scores that are far from 0 and near each other, one from which all others differ by exact numbers, and 0
/// of other ones. Relevance that is taken from a score would have no digits beside those of a great one.
template <class Scores>
[[nodiscard]] double exact_centre(const Scores& scores) noexcept {
  const auto [least, most] = extremes_of(scores);
  const bool near = least > 0 ? most / 2 <= least : most < 0 && least / 2 >= most;
  return near ? static_cast<double>(bounded(least)) : 0.0;
}

/// One item of a merge.
struct merge_item {
  double shifted_score;  ///< z
  double weight;         ///< weight of the pairs in which the item is preferred
  std::uint32_t item;
};

/// The items of a list level by level, the most relevant first, and descending by shifted score within a level.
struct merge_levels {
  std::span<merge_item> items;
  std::span<std::uint32_t> starts;  ///< the beginnings of the levels, and the end of the last one

  /// @param level_and_item  level_and_item(p) returns the number of the level, rising with relevance, and the item at
  ///                        position p in descending order of shifted scores
  template <class LevelAndItem>
  merge_levels(std::uint32_t levels, std::size_t n, workspace& scratch, const LevelAndItem& level_and_item)
      : items(scratch.take<merge_item>(n)), starts(scratch.take<std::uint32_t>(levels + 1)) {
    std::fill(starts.begin(), starts.end(), 0u);
    for (std::size_t p = 0; p < n; ++p) ++starts[levels - level_and_item(p).first];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    const workspace::scope scope(scratch);
    const std::span<std::uint32_t> next = scratch.take<std::uint32_t>(levels);
    std::copy_n(starts.begin(), levels, next.begin());
    for (std::size_t p = 0; p < n; ++p) {
      const auto [level, item] = level_and_item(p);
      items[next[levels - 1 - level]++] = item;
    }
  }

  /// Weight and number of the pairs of different levels.
  [[nodiscard]] pair_totals totals() const noexcept {
    pair_totals to;
    for (std::size_t l = 0; l + 1 < starts.size(); ++l) {
      const auto others = static_cast<double>(items.size() - starts[l + 1]);
      for (std::size_t p = starts[l]; p < starts[l + 1]; ++p) to.weight += items[p].weight * others;
      to.count += others * static_cast<double>(starts[l + 1] - starts[l]);
    }
    return to;
  }
};

/// The sum of factor * weight * max(0, e)^power, power 1 or 2, over the pairs of an item of `first` and an
/// item of `second`. Both are in descending order, and e = margin - z_first + z_second. The weight is that of
/// the preferred item, which is an item of `first` where first_preferred, otherwise an item of `second`.
struct hinge_sum {
  double margin = 0.0;
  double factor = 1.0;
  int power = 1;
  bool first_preferred = true;
  bool counts_kink = false;  ///< whether a pair with e = 0 has the curvature of those above it
};

/// Returns the value. Adds the derivatives by z, by item, to `gradient` and, unless it is empty, to
/// `hessian`.
inline double add_hinges(std::span<const merge_item> first, std::span<const merge_item> second,
                         const hinge_sum& f, std::span<double> gradient, std::span<double> hessian) {
  const auto weight_of = [](const merge_item& item, bool preferred) { return preferred ? item.weight : 1.0; };
  // The sums of 1, e and e^2 over the items with e > 0 so far.
  struct {
    double count = 0.0, sum = 0.0, squares = 0.0;
    void move(double by) noexcept {
      squares += by * (2.0 * sum + count * by);
      sum += count * by;
    }
    void add(double weight, double e) noexcept {
      count += weight;
      sum += weight * e;
      squares += weight * e * e;
    }
  } down, up;
  const auto reaches = [&f](double e) { return f.counts_kink ? e >= 0.0 : e > 0.0; };
  double value = 0.0;
  const auto apply = [&](const merge_item& item, bool preferred, const auto& reached, double sign) {
    const double scale = f.factor * weight_of(item, preferred);
    gradient[item.item] += sign * scale * (f.power == 1 ? reached.count : 2.0 * reached.sum);
    if (!hessian.empty() && f.power == 2) hessian[item.item] += scale * 2.0 * reached.count;
    // not 0 * squares, as squares may be infinite
    return scale > 0.0 ? scale * (f.power == 1 ? reached.sum : reached.squares) : 0.0;
  };
  std::size_t next = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i > 0) down.move(first[i - 1].shifted_score - first[i].shifted_score);
    for (; next < second.size(); ++next) {
      const double e = f.margin - opaque(first[i].shifted_score - second[next].shifted_score);
      if (!reaches(e)) break;
      down.add(weight_of(second[next], !f.first_preferred), e);
    }
    value += apply(first[i], f.first_preferred, down, -1.0);
  }
  next = first.size();
  for (std::size_t j = second.size(); j-- > 0;) {
    if (j + 1 < second.size()) up.move(second[j].shifted_score - second[j + 1].shifted_score);
    for (; next > 0; --next) {
      const double e = f.margin - opaque(first[next - 1].shifted_score - second[j].shifted_score);
      if (!reaches(e)) break;
      up.add(weight_of(first[next - 1], f.first_preferred), e);
    }
    static_cast<void>(apply(second[j], !f.first_preferred, up, 1.0));
  }
  return value;
}

/// The same over all pairs of different levels. `items` are ordered by level, the most relevant first, and
/// descending by shifted score within each level; `starts` holds the beginnings of the levels and the end of
/// the last one. On return `items` are sorted by shifted score. `buffer` has the same size.
inline double merge_hinges(std::span<merge_item> items, std::span<const std::uint32_t> starts,
                           std::span<const hinge_sum> sums, std::span<merge_item> buffer,
                           std::span<double> gradient, std::span<double> hessian) {
  const std::size_t levels = starts.size() - 1;
  if (levels < 2) return 0.0;
  const std::size_t middle = levels / 2;
  double value = merge_hinges(items, starts.first(middle + 1), sums, buffer, gradient, hessian) +
                 merge_hinges(items, starts.subspan(middle), sums, buffer, gradient, hessian);
  const auto preferred = items.subspan(starts[0], starts[middle] - starts[0]);
  const auto others = items.subspan(starts[middle], starts[levels] - starts[middle]);
  for (const hinge_sum& f : sums)
    value += f.first_preferred ? add_hinges(preferred, others, f, gradient, hessian)
                               : add_hinges(others, preferred, f, gradient, hessian);
  const auto to = buffer.subspan(starts[0], preferred.size() + others.size());
  std::merge(preferred.begin(), preferred.end(), others.begin(), others.end(), to.begin(),
             [](const merge_item& a, const merge_item& b) { return a.shifted_score > b.shifted_score; });
  std::copy(to.begin(), to.end(), preferred.begin());
  return value;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
