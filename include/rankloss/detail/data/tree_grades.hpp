// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/gain.hpp>

#include <cmath>
#include <cstddef>
#include <span>

/// What the LambdaMART objectives of the tree libraries require of the relevance.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether a list has a pair: two items of different relevance.
template <class T, class R>
[[nodiscard]] bool has_pair(const list<T, R>& items) noexcept {
  for (std::size_t i = 1; i < items.size(); ++i)
    if (items.relevance[i] != items.relevance[0]) return true;
  return false;
}

/// Whether a relevance is a grade that the tree libraries accept: at least 0 and, unless gains are linear, a
/// whole number that does not exceed the last grade that has a gain.
[[nodiscard]] inline bool takes_grade(gain kind, std::span<const double> table, double most,
                                      double y) noexcept {
  if (kind == gain::linear) return y >= 0.0;
  if (kind == gain::table) most = static_cast<double>(table.size()) - 1.0;
  return y >= 0.0 && y <= most && std::floor(y) == y;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
