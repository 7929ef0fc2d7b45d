// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The gain of a relevance grade y in a DCG.
enum class gain {
  exponential,  ///< 2^y - 1
  linear,       ///< y itself: the user's own values
  table,        ///< gain_table[y], for whole grades
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(gain) noexcept {
  return {"exponential", "linear", "table"};
}

/// How the ideal DCG is computed.
enum class ideal {
  sorted,             ///< gains in descending order at ranks 1, 2, 3, ...
  competition_ranks,  ///< each gain at 1 + the number of greater gains, as in Listwise_ITR (2305.16566)
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(ideal) noexcept {
  return {"sorted", "competition_ranks"};
}

namespace detail {

/// Checks the fields `gain` and `gain_table` of a loss or metric against each other.
inline void check_gain(gain kind, std::span<const double> table) {
  require((kind == gain::table) == !table.empty(), "gain_table: size ", table.size(), ", expected ",
          kind == gain::table ? "one gain a grade" : "none unless gain is gain::table");
}

/// Whether a relevance has a gain; gains are at least 0. With a table every relevance has one: it is 0 where
/// the table has no entry. There is no branch, so that the compiler can vectorise a loop over a list.
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr bool takes_gain(gain kind, double y) noexcept {
  return (static_cast<unsigned>(kind == gain::table) | static_cast<unsigned>(y >= 0.0)) != 0;
}
inline constexpr std::string_view expects_gain = "at least 0";

/// Whether any item of the list has a gain above 0.
template <class T, class R>
[[nodiscard]] bool any_gain(const list<T, R>& items, gain kind, std::span<const double> table) noexcept {
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    if (!items.weights.empty() && !(items.weights[i] > 0.0)) continue;
    const auto y = static_cast<double>(items.relevance[i]);
    if (kind == gain::table
            ? y >= 0.0 && y < static_cast<double>(table.size()) && table[static_cast<std::size_t>(y)] > 0.0
            : y > 0.0)
      return true;
  }
  return false;
}

/// The gain of a grade in a table: 0 where it has no entry.
[[nodiscard]] inline double worth_in(std::span<const double> table, double y) noexcept {
  return y >= 0.0 && y < static_cast<double>(table.size()) ? table[static_cast<std::size_t>(y)] : 0.0;
}

}  // namespace detail
}  // namespace rankloss::inline RANKLOSS_ABI
