// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Where an item stands in its list: by its value, behind all items with a value, or not at all.
struct standing {
  enum { by_value, last, none } kind;
  double value;  // for by_value: larger is better
};

/// Writes the items of a list that have a level to `to`, level after level, and the level of each item to
/// `levels`; 0 is the best level. Returns how many items have one.
/// @param standing_of  standing_of(i) is the standing of item i
/// @param levels       [n]
/// @param no_level     the level written for items that have none
template <class Standing>
std::size_t sort_into_levels(std::size_t n, Standing standing_of, std::uint32_t* to, std::uint32_t* levels,
                             std::uint32_t no_level, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::span<double> y = scratch.take<double>(n);
  const std::span<std::uint32_t> which =
      scratch.take<std::uint32_t>(n);  // items that have a value, from the front, and the last, from the back
  std::size_t valued = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const standing at = standing_of(i);
    levels[i] = no_level;
    if (at.kind == standing::last) which[n - ++last] = static_cast<std::uint32_t>(i);
    if (at.kind != standing::by_value) continue;
    which[valued] = static_cast<std::uint32_t>(i);
    y[valued++] = at.value;
  }
  std::uint32_t level = 0;
  if (valued > 0) {
    const std::span<const std::uint32_t> sorted = order_by_relevance(y.data(), valued, nullptr, scratch);
    for_each_level(y.data(), sorted, [&](std::size_t begin, std::size_t end) {
      for (std::size_t k = begin; k < end; ++k) {
        to[k] = which[sorted[k]];
        levels[to[k]] = level;
      }
      ++level;
    });
  }
  for (std::size_t k = 0; k < last; ++k) {
    to[valued + k] = which[n - 1 - k];
    levels[to[valued + k]] = level;
  }
  return valued + last;
}

/// The positions at which the levels of sorted items begin, and their number.
[[nodiscard]] inline std::vector<std::size_t> level_starts(std::span<const std::uint32_t> levels,
                                                           std::span<const std::uint32_t> sorted) {
  std::vector<std::size_t> starts{0};
  for_each_level(levels.data(), sorted, [&](std::size_t, std::size_t end) { starts.push_back(end); });
  return starts;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
