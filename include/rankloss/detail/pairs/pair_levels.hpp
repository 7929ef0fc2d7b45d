// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The levels of the items of a list: the item of the higher level is the more relevant one of a pair.
/// Binary: items with relevance > 0 form one level, all others the other level.
template <bool Binary>
struct pair_levels {
  /// The level of an item.
  template <class T, class R>
  [[nodiscard]] static double of(const list<T, R>& items, std::size_t i) noexcept {
    if constexpr (Binary)
      return items.relevance[i] > R{0} ? 1.0 : 0.0;
    else
      return static_cast<double>(items.relevance[i]);
  }

  /// The items in descending order of level; items of equal level keep their order.
  template <class T, class R>
  [[nodiscard]] static std::span<const std::uint32_t> order_items(const list<T, R>& items,
                                                                  workspace& scratch) {
    if constexpr (Binary) {
      // Each item is written to the end of both levels and stays in one: relevance cannot be predicted.
      const std::size_t n = items.size();
      const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
      const workspace::scope scope(scratch);
      const std::span<std::uint32_t> lower = scratch.take<std::uint32_t>(n);
      std::size_t uppers = 0;
      for (std::size_t i = 0; i < n; ++i) {
        order[uppers] = lower[i - uppers] = static_cast<std::uint32_t>(i);
        uppers += items.relevance[i] > R{0} ? 1 : 0;
      }
      std::copy_n(lower.begin(), n - uppers, order.begin() + static_cast<std::ptrdiff_t>(uppers));
      return order;
    } else {
      return order_by_relevance(contiguous_items(items.relevance, scratch), items.size(), nullptr, scratch);
    }
  }

  /// Writes the number of each item's level of relevance; levels are numbered in ascending order. Returns the
  /// number of levels.
  template <class T, class R>
  [[nodiscard]] static std::uint32_t number_levels(const list<T, R>& items, std::span<std::uint32_t> numbers,
                                                   workspace& scratch) {
    if constexpr (Binary) {
      // This is not a table of two entries: GCC 12 reads outside of such a table when it vectorises the loop
      // (docs/numerics.md).
      const std::size_t n = items.size();
      std::size_t relevant = 0;
      for (std::size_t i = 0; i < n; ++i) relevant += items.relevance[i] > R{0} ? 1 : 0;
      const std::uint32_t upper = relevant < n ? 1 : 0;
      for (std::size_t i = 0; i < n; ++i) numbers[i] = items.relevance[i] > R{0} ? upper : 0;
      return relevant > 0 ? upper + 1 : 1;
    }
    std::array<std::uint32_t, most_grades> grades{};
    if (count_grades(items, grades)) {
      std::uint32_t count = 0;
      for (std::uint32_t& grade : grades) grade = grade > 0 ? count++ : 0;
      for (std::size_t i = 0; i < items.size(); ++i)
        numbers[i] = grades[static_cast<std::size_t>(of(items, i))];
      return count;
    }
    const workspace::scope scope(scratch);
    const std::span<const std::uint32_t> order = order_items(items, scratch);
    std::uint32_t last = 0;
    for (std::size_t p = order.size(); p-- > 0;) {
      if (p + 1 < order.size() && of(items, order[p]) != of(items, order[p + 1])) ++last;
      numbers[order[p]] = last;
    }
    return last + 1;
  }

 private:
  static constexpr std::size_t most_grades = 64;

  /// The number of items of each grade, where all levels are small whole numbers.
  template <class T, class R>
  [[nodiscard]] static bool count_grades(const list<T, R>& items,
                                         std::array<std::uint32_t, most_grades>& counts) noexcept {
    bool all_whole = true;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double y = of(items, i);
      const bool inside = y >= 0.0 && y < static_cast<double>(most_grades);
      const auto grade = static_cast<std::size_t>(inside ? y : 0.0);
      all_whole = all_whole && inside && static_cast<double>(grade) == y;
      ++counts[grade];
    }
    return all_whole;
  }
};

/// The number of pairs of different level in which at least one item is among the first k.
[[nodiscard]] inline double pairs_of_levels(std::span<const std::uint32_t> levels, std::size_t k,
                                            std::uint32_t level_count, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::span<std::uint32_t> seen = scratch.take<std::uint32_t>(level_count);
  std::fill(seen.begin(), seen.end(), 0u);
  double count = 0.0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    count += static_cast<double>(std::min(i, k) - seen[levels[i]]);
    if (i < k) ++seen[levels[i]];
  }
  return count;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
