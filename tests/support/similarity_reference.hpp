// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "listwise_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// The losses of a query with positives, of relevance above 0, and negatives: formulas as in the headers' doc
/// comments, in long double.
namespace reference {

inline derivatives siglip(const std::vector<real>& s, const std::vector<real>& y, real temperature,
                          real bias) {
  derivatives out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const real z = s[i] / temperature + bias;
    out.value += softplus(y[i] > 0 ? -z : z);
    out.gradient.push_back((y[i] > 0 ? -sigmoid(-z).value : sigmoid(z).value) / temperature);
  }
  return out;
}

}  // namespace reference
