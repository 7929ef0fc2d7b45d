// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The item at each position, and its position by score. For weights that declare `in_score_order` the two
/// positions are the same.
struct ordered_items {
  std::span<const std::uint32_t> item;               ///< [n]
  std::span<const std::uint32_t> position_by_score;  ///< [n], for weights that declare `uses_ranks`

  [[nodiscard]] std::size_t size() const noexcept { return item.size(); }
};

/// Values by position, padded so that a whole vector can be read from any of them.
template <class S, class Arch>
[[nodiscard]] std::span<S> padded(std::size_t n, workspace& scratch) {
  constexpr std::size_t w = xsimd::batch<S, Arch>::size;
  const std::span<S> values = scratch.take<S>(n + w);
  std::fill_n(values.data() + n, w, S{0});
  return values;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
