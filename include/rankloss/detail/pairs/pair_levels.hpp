// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>

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
        uppers += items.relevance[i] > R{0} ? 1u : 0u;
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
    const std::size_t n = items.size();
    const strided<const R> relevance = items.relevance;
    if constexpr (Binary) {
      // This is not a table of two entries: GCC 12 reads outside of such a table when it vectorises the loop
      // (docs/numerics.md).
      const std::size_t relevant =
          count_in_pieces(n, scratch, [=](std::size_t i) { return relevance[i] > R{0}; });
      const std::uint32_t upper = relevant < n ? 1 : 0;
      for_each_item(scratch, n, [=](std::size_t i) { numbers[i] = relevance[i] > R{0} ? upper : 0; });
      return relevant > 0 ? upper + 1 : 1;
    }
    const workspace::scope scope(scratch);
    grade_counts grades{};
    if (count_grades(items, grades, scratch)) {
      std::uint32_t count = 0;
      for (std::uint32_t& grade : grades.counts) grade = grade > 0 ? count++ : 0;
      const std::span<const std::uint32_t> number_of(grades.counts);
      for_each_item(scratch, n, [=](std::size_t i) {
        numbers[i] = number_of[static_cast<std::size_t>(static_cast<double>(relevance[i]))];
      });
      return count;
    }
    // By position in the order of relevance, whether a level begins; then the levels from the last one on.
    const std::span<const std::uint32_t> order = order_items(items, scratch);
    const even_pieces pieces(n, tuning::piece_items);
    const std::span<std::uint32_t> begun = scratch.take<std::uint32_t>(pieces.count());
    const auto begins = [=](std::size_t p) {
      return p + 1 < n &&
             static_cast<double>(relevance[order[p]]) != static_cast<double>(relevance[order[p + 1]]);
    };
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t piece) {
      std::uint32_t count = 0;
      for (std::size_t p = pieces[piece].begin; p < pieces[piece].end; ++p) count += begins(p) ? 1u : 0u;
      begun[piece] = count;
    });
    std::uint32_t last = 0;
    for (std::size_t piece = pieces.count(); piece-- > 0;) last += std::exchange(begun[piece], last);
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t piece) {
      std::uint32_t number = begun[piece];
      for (std::size_t p = pieces[piece].end; p-- > pieces[piece].begin;) {
        number += begins(p) ? 1u : 0u;
        numbers[order[p]] = number;
      }
    });
    return last + 1;
  }

 private:
  static constexpr std::size_t most_grades = 64;
  struct grade_counts {
    std::array<std::uint32_t, most_grades> counts;
    bool all_whole = true;
  };

  /// The number of items of each grade, where all levels are small whole numbers.
  template <class T, class R>
  [[nodiscard]] static bool count_grades(const list<T, R>& items, grade_counts& all, workspace& scratch) {
    const workspace::scope scope(scratch);
    const even_pieces pieces(items.size(), tuning::piece_items);
    const std::span<grade_counts> of_piece = scratch.take<grade_counts>(pieces.count());
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      const strided<const R> relevance = items.relevance;
      // Items are counted in tables in turn, since increments of one count wait for each other.
      constexpr std::size_t tables = 4;
      std::array<std::uint32_t, tables * most_grades> counts{};
      grade_counts own{};
      for (std::size_t i = pieces[p].begin, end = pieces[p].end; i < end; ++i) {
        const auto y = static_cast<double>(relevance[i]);
        const bool inside = y >= 0.0 && y < static_cast<double>(most_grades);
        const auto grade = static_cast<std::size_t>(inside ? y : 0.0);
        own.all_whole = own.all_whole && inside && static_cast<double>(grade) == y;
        ++counts[i % tables * most_grades + grade];
      }
      for (std::size_t c = 0; c < counts.size(); ++c) own.counts[c % most_grades] += counts[c];
      of_piece[p] = own;
    });
    all = of_piece[0];
    for (const grade_counts& other : of_piece.subspan(1)) {
      for (std::size_t grade = 0; grade < most_grades; ++grade) all.counts[grade] += other.counts[grade];
      all.all_whole = all.all_whole && other.all_whole;
    }
    return all.all_whole;
  }

  template <class Counts>
  [[nodiscard]] static std::size_t count_in_pieces(std::size_t n, workspace& scratch, const Counts& counts) {
    const workspace::scope scope(scratch);
    const even_pieces pieces(n, tuning::piece_items);
    const std::span<std::size_t> of_piece = scratch.take<std::size_t>(pieces.count());
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      const Counts own = counts;
      std::size_t count = 0;
      for (std::size_t i = pieces[p].begin, end = pieces[p].end; i < end; ++i) count += own(i) ? 1u : 0u;
      of_piece[p] = count;
    });
    return std::accumulate(of_piece.begin(), of_piece.end(), std::size_t{0});
  }
};

/// The number of pairs of different level in which at least one item is among the first k: all such pairs but those
/// of one level, which are the pairs of a level without those of its items behind the first k.
[[nodiscard]] inline double pairs_of_levels(std::span<const std::uint32_t> levels, std::size_t k,
                                            std::uint32_t level_count, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::size_t n = levels.size();
  const auto pairs_of = [](std::size_t items) {
    const auto count = static_cast<double>(items);
    return 0.5 * count * (count - 1.0);
  };
  // Each piece has counts of its own, unless these would take longer to add up than to count.
  const even_pieces pieces(
      n, level_count <= tuning::most_levels ? tuning::piece_items : std::max<std::size_t>(n, 1));
  const std::size_t size = 2 * std::size_t{level_count};
  const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(pieces.count() * size);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const std::span<const std::uint32_t> level_of = levels;
    const std::span<std::uint32_t> all = counts.subspan(p * size, level_count);
    const std::span<std::uint32_t> behind = counts.subspan(p * size + level_count, level_count);
    std::fill(all.begin(), all.end(), 0u);
    std::fill(behind.begin(), behind.end(), 0u);
    const auto [begin, end] = pieces[p];
    const std::size_t first_behind = std::clamp(k, begin, end);
    for (std::size_t i = begin; i < first_behind; ++i) ++all[level_of[i]];
    for (std::size_t i = first_behind; i < end; ++i) ++behind[level_of[i]];
  });
  double count = pairs_of(n) - pairs_of(n - std::min(k, n));
  for (std::size_t level = 0; level < level_count; ++level) {
    std::size_t first = 0, behind = 0;
    for (std::size_t p = 0; p < pieces.count(); ++p) {
      first += counts[p * size + level];
      behind += counts[p * size + level_count + level];
    }
    count -= pairs_of(first + behind) - pairs_of(behind);
  }
  return count;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
