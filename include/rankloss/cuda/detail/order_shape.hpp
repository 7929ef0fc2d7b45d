// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/require.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The number of lists by offsets; without them all items are one list.
[[nodiscard]] inline std::size_t lists_of(const device_indices& offsets) noexcept {
  return offsets.empty() ? 1 : offsets.size() - 1;
}
inline void check_order_items(const device_indices& offsets, std::size_t items) {
  check_offsets(offsets, items);
  rankloss::detail::require(items <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                            "scores: size ", items, ", expected at most 2^31 - 1 on a device");
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
