// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::detail {

// The partial order of n items that pairs of them generate, as a directed graph: worse(i) is the span of the
// items that i is better than by a pair.

/// A row of bits for each item of a list.
struct bit_rows {
  std::size_t words;
  std::vector<std::uint64_t> bits;

  explicit bit_rows(std::size_t n) : words((n + 63) / 64), bits(n * words, 0) {}
  [[nodiscard]] std::uint64_t* row(std::size_t i) { return bits.data() + i * words; }
  [[nodiscard]] const std::uint64_t* row(std::size_t i) const { return bits.data() + i * words; }
  template <class Visit>
  void for_each(std::size_t i, Visit visit) const {
    for (std::size_t w = 0; w < words; ++w)
      for (std::uint64_t left = row(i)[w]; left != 0; left &= left - 1)
        visit(static_cast<std::uint32_t>(64 * w + static_cast<unsigned>(std::countr_zero(left))));
  }
};

/// Sorts the items topologically (Kahn 1962): writes each to `to` as soon as all better items have been
/// written. Returns how many were written: fewer than n if the pairs contain a cycle. waits[i] is then not 0
/// for the items that were not written, each of which has a better item that was not written either.
template <class Worse>
[[nodiscard]] std::size_t sort_by_pairs(std::size_t n, Worse worse, std::uint32_t* to,
                                        std::vector<std::uint32_t>& waits) {
  waits.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (const std::uint32_t j : worse(i)) ++waits[j];
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (waits[i] == 0) to[count++] = static_cast<std::uint32_t>(i);
  for (std::size_t k = 0; k < count; ++k)
    for (const std::uint32_t j : worse(to[k]))
      if (--waits[j] == 0) to[count++] = j;
  return count;
}

/// A cycle among the items whose `waits` is not 0, beginning with its smallest item. Each item is better than
/// the next, and the last is better than the first.
template <class Worse>
[[nodiscard]] std::vector<std::uint32_t> find_cycle(std::size_t n, Worse worse,
                                                    std::span<const std::uint32_t> waits) {
  const auto none = static_cast<std::uint32_t>(n);
  std::vector<std::uint32_t> better(n, none);
  for (std::size_t i = n; i-- > 0;)
    if (waits[i] > 0)
      for (const std::uint32_t j : worse(i))
        if (waits[j] > 0) better[j] = static_cast<std::uint32_t>(i);
  std::vector<std::size_t> seen(n, 0);
  std::vector<std::uint32_t> way;
  auto at = static_cast<std::uint32_t>(
      std::find_if(waits.begin(), waits.end(), [](std::uint32_t w) { return w > 0; }) - waits.begin());
  for (; seen[at] == 0; at = better[at]) {
    way.push_back(at);
    seen[at] = way.size();
  }
  std::vector<std::uint32_t> cycle(way.rbegin(), way.rend() - static_cast<std::ptrdiff_t>(seen[at] - 1));
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

/// Whether a chain of pairs leads from one item to another.
template <class Worse>
[[nodiscard]] bool leads_to(std::size_t n, Worse worse, std::uint32_t from, std::uint32_t to) {
  std::vector<bool> seen(n, false);
  std::vector<std::uint32_t> open{from};
  while (!open.empty()) {
    const std::uint32_t i = open.back();
    open.pop_back();
    for (const std::uint32_t j : worse(i)) {
      if (j == to) return true;
      if (!seen[j]) open.push_back(j);
      seen[j] = true;
    }
  }
  return false;
}

/// The transitive closure: for each item, a row of all items that it is better than, directly or by
/// transitivity.
/// @param sorted  the items in an order that the pairs allow
template <class Worse>
[[nodiscard]] bit_rows close_pairs(std::span<const std::uint32_t> sorted, Worse worse) {
  bit_rows below(sorted.size());
  for (std::size_t k = sorted.size(); k-- > 0;) {
    const std::uint32_t i = sorted[k];
    for (const std::uint32_t j : worse(i)) {
      below.row(i)[j / 64] |= std::uint64_t{1} << (j % 64);
      for (std::size_t w = 0; w < below.words; ++w) below.row(i)[w] |= below.row(j)[w];
    }
  }
  return below;
}

/// The transitive reduction: calls add(j) for those of an item's worse items that no other of them is better
/// than.
/// @param position  [n] of each item in an order that the pairs allow
template <class Add>
void for_each_direct(std::span<const std::uint32_t> worse, std::span<const std::uint32_t> position,
                     const bit_rows& below, Add add) {
  // In order of position, so that all items that an item is better than come after it.
  std::vector<std::uint32_t> next(worse.begin(), worse.end());
  std::sort(next.begin(), next.end(),
            [&](std::uint32_t x, std::uint32_t y) { return position[x] < position[y]; });
  std::vector<std::uint64_t> implied(below.words, 0);
  for (const std::uint32_t j : next) {
    if ((implied[j / 64] >> (j % 64) & 1) != 0) continue;
    add(j);
    for (std::size_t w = 0; w < below.words; ++w) implied[w] |= below.row(j)[w];
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
