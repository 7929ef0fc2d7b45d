// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>

#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

// What an option has to be. The functions take numbers by reference, as is_finite does.

/// A bound as one writes it: 1e300 instead of 1e+300.
struct bound_text {
  double bound;

  void append_to(std::string& message) const {
    std::string digits;
    append(digits, bound);
    for (const char c : digits)
      if (c != '+') message += c;
  }
};

/// Requires a number from `least` to `most`.
inline void check_within(std::string_view name, const double& value, double least, double most) {
  require(within(value, least, most), name, ": ", value, ", expected ", bound_text{least}, " to ",
          bound_text{most});
}

/// Requires a temperature, or another number that scores are divided by.
inline void check_temperature(std::string_view name, const double& value) {
  check_within(name, value, 1e-15, 1e300);
}

/// Requires a number that is neither infinite nor NaN.
inline void check_finite(std::string_view name, const double& value) {
  require(is_finite(value), name, ": ", value, ", expected a finite number");
}

/// Requires such a number that is not below 0 either.
inline void check_at_least_0(std::string_view name, const double& value) {
  require(is_finite(value) && value >= 0.0, name, ": ", value, ", expected a finite number >= 0");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
