// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The lists of a batch, and a parallel loop over them.
struct order_lists {
  const indices& offsets;
  std::size_t items;

  [[nodiscard]] std::size_t count() const { return offsets.empty() ? 1 : offsets.size() - 1; }
  [[nodiscard]] std::size_t first(std::size_t l) const {
    return offsets.empty() ? 0 : static_cast<std::size_t>(offsets[l]);
  }
  [[nodiscard]] std::size_t size(std::size_t l) const {
    return offsets.empty() ? items : first(l + 1) - first(l);
  }

  /// Calls body(worker, list), with several lists in each task.
  template <class Body>
  void run(context& ctx, Body body) const {
    constexpr std::size_t chunk = tuning::order_chunk;
    const std::size_t lists = count();
    ctx.run((lists + chunk - 1) / chunk, [&](std::size_t worker, std::size_t task) {
      for (std::size_t l = task * chunk; l < std::min(lists, (task + 1) * chunk); ++l) body(worker, l);
    });
  }
};

template <class T>
void check_policy_scores(std::string_view field, std::span<const T> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    require(!is_nan(scores[i]), field, ": nan at item ", i, ", expected a number");
}

/// Orders are checked also with data_checks::off, because their entries are used as indices into memory.
inline void check_orders(const indices& orders, const order_lists& lists, workspace& scratch) {
  check_size("orders", orders.size(), lists.items, "one per score");
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
