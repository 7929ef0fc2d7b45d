// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/detail/lists/list_source.hpp>
#include <rankloss/detail/lists/output_sink.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Lists that lie side by side, as an engine may compute them in lanes.
template <list_source Source>
struct across_lists {
  const Source& source;
  std::size_t first;
  std::span<double> values;         // of each list
  std::span<std::uint8_t> left;     // becomes 1 for a list that is not computed, else 0
  const output_sink<Source>* sink;  // null: no slopes are wanted
  std::span<const double> shares;   // of each list
  context& ctx;
};

/// What the engine of a loss makes of them; for a loss that is a cross entropy with options of its own, the engine of
/// that. Returns whether it has a way.
template <class Loss, class Lists>
requires requires(const Loss& loss, const Lists& lists) { engine<Loss, context>::run_across(loss, lists); }
[[nodiscard]] bool run_side_by_side(const Loss& loss, const Lists& lists) {
  return engine<Loss, context>::run_across(loss, lists);
}
template <class Loss, class Lists>
requires requires(const Loss& loss, const Lists& lists) { run_side_by_side(loss.cross_entropy(), lists); }
[[nodiscard]] bool run_side_by_side(const Loss& loss, const Lists& lists) {
  return run_side_by_side(loss.cross_entropy(), lists);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
