// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/relevant_items.hpp>

#include <algorithm>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The rank of the best match of a query when equal scores are put in random order.
struct best_match {
  std::size_t above = 0;     // items with a larger score, none of which matches
  std::size_t tied = 0;      // items with the same score, including itself
  std::size_t matching = 0;  // matches among these; 0: there is no match at all

  /// Expected rank of the first match.
  [[nodiscard]] double rank() const noexcept {
    return 1.0 + static_cast<double>(above) +
           static_cast<double>(tied - matching) / static_cast<double>(matching + 1);
  }

  /// Probability of a match among the first k: 1 - C(others, slots) / C(tied, slots), in the form with fewer
  /// factors.
  [[nodiscard]] double within(std::size_t k) const noexcept {
    if (matching == 0 || k <= above) return 0.0;
    const std::size_t slots = std::min(k - above, tied);
    double none = 1.0;
    const std::size_t many = std::max(slots, matching);
    for (std::size_t i = 0; i < std::min(slots, matching) && none > 0.0; ++i)
      none *= static_cast<double>(tied - many - i) / static_cast<double>(tied - i);
    return 1.0 - none;
  }
};

template <class T, class R>
[[nodiscard]] best_match find_best_match(const list<T, R>& items) noexcept {
  best_match found;
  T best{};
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!relevant(items, i)) continue;
    const T s = items.scores[i];
    if (found.matching > 0 && !(s >= best)) continue;
    found.matching = found.matching > 0 && s == best ? found.matching + 1 : 1;
    best = s;
  }
  if (found.matching == 0) return found;
  for (std::size_t i = 0; i < items.size(); ++i) {
    found.above += items.scores[i] > best ? 1u : 0u;
    found.tied += items.scores[i] == best ? 1u : 0u;
  }
  return found;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
