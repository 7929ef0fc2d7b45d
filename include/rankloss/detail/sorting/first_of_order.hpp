// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Expected sum of the values at the first k positions, 1 <= k <= n, over the random order of equal scores.
/// The sum is formed in the order of the list.
template <class T>
[[nodiscard]] double expected_sum_of_first(const strided<const T>& scores, std::span<const double> values,
                                           std::size_t k, first_positions<T>& first) {
  const key_of<T> border = first.key_at(k - 1);
  std::size_t above = 0;
  std::size_t tied = 0;
  double inside = 0.0;
  double at_border = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const key_of<T> key = descending_key(scores[i]);
    if (key > border) continue;
    (key < border ? above : tied) += 1;
    (key < border ? inside : at_border) += values[i];
  }
  return held_as<double>(inside + held_as<double>(at_border) *
                                      (static_cast<double>(k - above) / static_cast<double>(tied)));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
