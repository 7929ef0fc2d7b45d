// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Expected sum of the values at the first k positions, 1 <= k <= n, over the random order of equal scores.
template <class T>
[[nodiscard]] double expected_sum_of_first(const strided<const T>& scores, std::span<const double> values,
                                           std::size_t k, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::span<key_of<T>> keys = scratch.take<key_of<T>>(scores.size());
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = descending_key(scores[i]);
  const auto last = keys.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(keys.begin(), last, keys.end());
  const key_of<T> border = *last;

  std::size_t above = 0;
  std::size_t tied = 0;
  double inside = 0.0;
  double at_border = 0.0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const key_of<T> key = descending_key(scores[i]);
    if (key > border) continue;
    (key < border ? above : tied) += 1;
    (key < border ? inside : at_border) += values[i];
  }
  return held_as<double>(inside + held_as<double>(at_border) *
                                      (static_cast<double>(k - above) / static_cast<double>(tied)));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
