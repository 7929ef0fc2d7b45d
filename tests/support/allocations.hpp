// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

namespace support {

/// Calls of operator new by this program so far, on any thread.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace support
