// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Prefetches the memory two cache lines beyond an item, for loops that read hundreds of streams at once:
/// more than the hardware prefetcher follows.
template <class T>
[[gnu::always_inline]] inline void prefetch_ahead([[maybe_unused]] const T* item) noexcept {
#if defined(__GNUC__)
  // The address is computed as an integer, since a pointer must not go beyond the end of its array.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(item) + 128));
#endif
}

/// Calls body.template operator()<k>() for k = 0 .. N - 1, unrolled.
template <std::size_t N, class Body>
[[gnu::always_inline]] inline void unrolled(Body&& body) {
  [&]<std::size_t... k>(std::index_sequence<k...>) { (body.template operator()<k>(), ...); }
  (std::make_index_sequence<N>{});
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
