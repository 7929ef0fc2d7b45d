// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <limits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether the series, constants and sizes of single precision are right for numbers of this type: float, and
/// any type with fewer digits.
template <class T>
inline constexpr bool single_precision = std::numeric_limits<T>::digits <= std::numeric_limits<float>::digits;

/// The constant for numbers of type T.
template <class T, class Constant>
[[nodiscard]] constexpr Constant by_precision(Constant single_, Constant double_) noexcept {
  return single_precision<T> ? single_ : double_;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
