// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
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

/// The last grade that has a gain: `most`, or the last one of a table.
[[nodiscard]] constexpr double last_grade(gain kind, std::size_t grades_of_table, double most) noexcept {
  return kind == gain::table ? static_cast<double>(grades_of_table) - 1.0 : most;
}

/// Whether a relevance is a grade that the tree libraries accept: at least 0 and, unless gains are linear, a
/// whole number that does not exceed the last grade that has a gain.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline bool is_grade(gain kind, double last, double y) noexcept {
  return y >= 0.0 && (kind == gain::linear || (y <= last && std::floor(y) == y));
}
[[nodiscard]] inline bool takes_grade(gain kind, std::span<const double> table, double most,
                                      double y) noexcept {
  return is_grade(kind, last_grade(kind, table.size(), most), y);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
