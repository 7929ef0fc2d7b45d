// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The lists that offsets divide items into; without offsets all items are one list. Everything that reads
/// offsets of a host reads them through this class, most of it by way of checked_lists.
class ragged_lists {
 public:
  ragged_lists(const indices& offsets, std::size_t items) noexcept : offsets_(offsets), items_(items) {}

  [[nodiscard]] std::size_t items() const noexcept { return items_; }
  [[nodiscard]] std::size_t count() const noexcept { return offsets_.empty() ? 1 : offsets_.size() - 1; }
  /// Where list l begins; for l = count() where the last list ends.
  [[nodiscard]] std::size_t first(std::size_t l) const noexcept {
    if (offsets_.empty()) return l == 0 ? 0 : items_;
    return static_cast<std::size_t>(offsets_[l]);
  }
  /// The first list that begins at an item or behind it, or count().
  [[nodiscard]] std::size_t first_from(std::size_t item) const noexcept {
    std::size_t low = 0, high = count();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (first(middle) < item)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
  [[nodiscard]] std::size_t size(std::size_t l) const noexcept { return first(l + 1) - first(l); }

  /// Calls body(worker, list), with several lists in each task. Lists that are longer than what is a worker's
  /// due come last, one after the other, and each may be shared by all workers (run_pieces).
  template <class Body>
  void run(context& ctx, Body body) const {
    constexpr std::size_t chunk = tuning::order_chunk;
    const std::size_t lists = count();
    const std::size_t due = worker_due(items_, ctx.workers());
    ctx.run((lists + chunk - 1) / chunk, [&](std::size_t worker, std::size_t task) {
      for (std::size_t l = task * chunk; l < std::min(lists, (task + 1) * chunk); ++l)
        if (size(l) < due) body(worker, l);
    });
    if (items_ < due) return;
    for (std::size_t l = 0; l < lists; ++l)
      if (size(l) >= due) body(0, l);
  }

 private:
  indices offsets_;
  std::size_t items_;
};

/// The same; requires the offsets to start at 0, never to decrease, and to end at the number of items.
/// @param unit   what the items are, in the plural
/// @param field  the name of the offsets
inline ragged_lists checked_lists(const indices& offsets, std::size_t items, std::string_view unit,
                                  std::string_view field = "offsets") {
  if (!offsets.empty()) {
    const std::size_t last = offsets.size() - 1;
    require(offsets[0] == 0, field, ": first is ", offsets.number(0), ", expected 0");
    for (std::size_t l = 0; l < last; ++l)
      require(offsets.number(l) <= offsets.number(l + 1), field, ": ", offsets.number(l + 1), " at ", l + 1,
              " after ", offsets.number(l), ", expected them to rise");
    require(static_cast<std::size_t>(offsets[last]) == items, field, ": last is ", offsets.number(last),
            ", expected ", items, " (the number of ", unit, ")");
  }
  return {offsets, items};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
