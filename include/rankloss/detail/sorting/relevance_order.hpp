// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whole grades as bytes, 0 for the greatest. Returns the number of grades in their range; 0 when some are
/// not whole numbers or when they are too far apart.
template <class R>
[[nodiscard]] std::size_t grades_from_top(const R* y, std::size_t n, std::uint8_t* from_top,
                                          workspace& scratch) {
  const auto [least, most] = extremes_of(std::span<const R>(y, n), scratch);
  // The grades have to be so small that differences are exact and fit in an int.
  if (!(static_cast<double>(least) >= -1e6 && static_cast<double>(most) <= 1e6 &&
        static_cast<double>(most) - static_cast<double>(least) <= 255.0))
    return 0;
  const int top = static_cast<int>(most);
  const workspace::scope scope(scratch);
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<int> odd_in = scratch.take<int>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    // Locals, as stores of bytes may be to anything else.
    const R* const grades = y + pieces[p].begin;
    std::uint8_t* const to = from_top + pieces[p].begin;
    const std::size_t size = pieces[p].size();
    const int greatest = top;
    int odd = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const int grade = static_cast<int>(grades[i]);
      odd |= static_cast<R>(grade) == grades[i] ? 0 : 1;
      to[i] = static_cast<std::uint8_t>(greatest - grade);
    }
    odd_in[p] = odd;
  });
  const bool whole = std::all_of(odd_in.begin(), odd_in.end(), [](int odd) { return odd == 0; });
  return whole ? static_cast<std::size_t>(top - static_cast<int>(least)) + 1 : 0;
}

/// Sorts items by rising grade, stably, by counting: grade(k) is the grade of the k-th item, which is
/// items[k], or k if `items` is null.
template <class Grade>
void count_grades(std::size_t n, std::size_t grades, std::span<std::uint32_t> order,
                  const std::uint32_t* items, Grade grade, workspace& scratch) {
  // Consecutive items of equal grade increment the same count, and each increment waits for the one before
  // it. Therefore the two halves of a piece are processed side by side, each with two tables to count in and
  // one to place by.
  struct tables {
    std::uint32_t counts[4][256];
  };
  const workspace::scope scope(scratch);
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<tables> of_piece = scratch.take<tables>(pieces.count());
  const auto halves = [&](std::size_t p) {
    const auto [begin, end] = pieces[p];
    return std::array{begin, begin + (end - begin) / 2, end};
  };
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    auto& counts = of_piece[p].counts;
    for (auto& table : counts) std::fill_n(table, grades, 0u);
    const auto [begin, middle, end] = halves(p);
    const std::size_t half = middle - begin;
    std::size_t k = 0;
    for (; k + 2 <= half; k += 2)
      for (std::size_t t = 0; t < 2; ++t) {
        ++counts[t][grade(begin + k + t)];
        ++counts[2 + t][grade(middle + k + t)];
      }
    for (std::size_t i = begin + k; i < middle; ++i) ++counts[0][grade(i)];
    for (std::size_t i = middle + k; i < end; ++i) ++counts[2][grade(i)];
  });
  std::uint32_t start = 0;
  for (std::size_t g = 0; g < grades; ++g)
    for (auto& [counts] : of_piece)
      for (const std::size_t half : {0u, 2u}) {
        const std::uint32_t count = counts[half][g] + counts[half + 1][g];
        counts[half][g] = start;
        start += count;
      }
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    auto& counts = of_piece[p].counts;
    const auto [begin, middle, end] = halves(p);
    const auto put = [&](std::uint32_t* next, std::size_t i) {
      order[next[grade(i)]++] = items == nullptr ? static_cast<std::uint32_t>(i) : items[i];
    };
    for (std::size_t i = 0; i < middle - begin; ++i) {
      put(counts[0], begin + i);
      put(counts[2], middle + i);
    }
    if ((end - begin) % 2 == 1) put(counts[2], end - 1);
  });
}

/// The items by relevance, the greatest first. Items of equal relevance keep their order in `items`, a
/// permutation, or in the list if `items` is null. Whole grades within 255 of each other are sorted by
/// counting, others by a radix sort.
template <class R>
[[nodiscard]] std::span<const std::uint32_t> order_by_relevance(const R* y, std::size_t n,
                                                                const std::uint32_t* items,
                                                                workspace& scratch) {
  require_countable(n);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
  const workspace::scope sorting(scratch);
  const std::span<std::uint8_t> from_top = scratch.take<std::uint8_t>(n);
  if (const std::size_t grades = grades_from_top(y, n, from_top.data(), scratch); grades > 0) {
    if (items == nullptr)
      count_grades(
          n, grades, order, items, [&](std::size_t k) { return from_top[k]; }, scratch);
    else
      count_grades(
          n, grades, order, items, [&](std::size_t k) { return from_top[items[k]]; }, scratch);
    return order;
  }
  // 64-bit integers that round to the same double are ties.
  using key_type = std::conditional_t<std::is_same_v<R, float>, float, double>;
  using record = keyed_item<key_of<key_type>>;
  const std::span<const record> sorted = records_by_key<record>(n, scratch, [&](std::size_t k) {
    const std::uint32_t i = items == nullptr ? static_cast<std::uint32_t>(k) : items[k];
    return record{descending_key(static_cast<key_type>(y[i])), i};
  });
  write_items(sorted, order);
  return order;
}

/// Calls visit(begin, end) for the runs of equal relevance in an order, from the first run to the last.
template <class R, class Visit>
void for_each_level(const R* y, std::span<const std::uint32_t> order, Visit visit) {
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && static_cast<double>(y[order[end]]) == static_cast<double>(y[order[begin]]))
      ++end;
    visit(begin, end);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
