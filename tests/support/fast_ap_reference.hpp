// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace reference {

/// FastAP of one query by its formula, each bin by a sum over all items, and its gradient bin by bin.
inline derivatives fast_ap(const std::vector<real>& s, const std::vector<bool>& positive,
                           const std::vector<real>& weights, std::size_t bins) {
  derivatives out;
  out.gradient.assign(s.size(), 0);
  const real delta = real(4) / static_cast<real>(bins);
  const auto offset = [&](std::size_t i, std::size_t l) {
    const real square = 2 - 2 * std::clamp(s[i], real(-1), real(1));
    return square / delta - static_cast<real>(l);
  };
  std::vector<real> all(bins + 1), own(bins + 1), upto(bins + 1), upto_own(bins + 1);
  real total = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (positive[i]) total += weights[i];
    for (std::size_t l = 0; l <= bins; ++l) {
      const real pulse = weights[i] * std::max(1 - std::abs(offset(i, l)), real(0));
      all[l] += pulse;
      if (positive[i]) own[l] += pulse;
    }
  }
  if (!(total > 0)) return out;
  for (std::size_t l = 0; l <= bins; ++l) {
    upto[l] = all[l] + (l > 0 ? upto[l - 1] : 0);
    upto_own[l] = own[l] + (l > 0 ? upto_own[l - 1] : 0);
    if (upto[l] > 0) out.value += own[l] * upto_own[l] / upto[l];
  }
  out.value = 1 - out.value / total;
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t k = 0; k <= bins; ++k) {
      const real x = offset(i, k);
      if (!(std::abs(x) < 1) || x == 0 || !(upto[k] > 0)) continue;
      // By the height of bin k, which is part of its own sum and of all later ones.
      real slope = positive[i] ? upto_own[k] / upto[k] : 0;
      for (std::size_t l = k; l <= bins; ++l)
        slope += own[l] / upto[l] * ((positive[i] ? real(1) : real(0)) - upto_own[l] / upto[l]);
      const real pulse_by_score = (x > 0 ? real(-1) : real(1)) * (-2 / delta);
      out.gradient[i] -= weights[i] * slope * pulse_by_score / total;
    }
  return out;
}

}  // namespace reference
