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

/// The item at each place, and its rank by score, counted from 0. For weights that declare `by_place` the
/// places are these ranks.
struct pair_places {
  std::span<const std::uint32_t> item;  ///< [n]
  std::span<const std::uint32_t> rank;  ///< [n], for weights that declare `by_position`

  [[nodiscard]] std::size_t size() const noexcept { return item.size(); }
};

/// Values by place, padded so that a whole vector can be read from any place.
template <class S, class Arch>
[[nodiscard]] std::span<S> padded(std::size_t n, workspace& scratch) {
  constexpr std::size_t w = xsimd::batch<S, Arch>::size;
  const std::span<S> values = scratch.take<S>(n + w);
  std::fill_n(values.data() + n, w, S{0});
  return values;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
