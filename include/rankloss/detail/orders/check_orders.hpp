// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

template <class T>
void check_policy_scores(std::string_view field, std::span<const T> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    require(!is_nan(scores[i]), field, ": nan at item ", i, ", expected a number");
}

/// Orders are checked also with data_checks::off, because their entries are used as indices into memory.
inline void check_orders(const indices& orders, const ragged_lists& lists, workspace& scratch) {
  check_size("orders", orders.size(), lists.items(), "one per score");
  for (std::size_t l = 0; l < lists.count(); ++l) {
    const workspace::scope scope(scratch);
    const std::size_t first = lists.first(l);
    const std::size_t n = lists.size(l);
    require_countable(n);
    const std::span<std::uint8_t> seen = scratch.take<std::uint8_t>(n);
    std::fill(seen.begin(), seen.end(), std::uint8_t{0});
    for (std::size_t k = 0; k < n; ++k) {
      const std::int64_t item = orders[first + k];
      require(item >= 0 && static_cast<std::size_t>(item) < n, "orders: ", orders.number(first + k),
              " at list ", l, ", position ", k, ", expected an item from 0 to ", n - 1);
      require(seen[static_cast<std::size_t>(item)] == 0, "orders: ", item, " at list ", l, ", position ", k,
              ", expected each item once");
      seen[static_cast<std::size_t>(item)] = 1;
    }
  }
}

inline void check_upstream(std::string_view field, const reals& upstream, std::size_t lists) {
  if (upstream.empty()) return;
  check_size(field, upstream.size(), lists, "one per list");
  check_finite(field, upstream, {}, "list");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
