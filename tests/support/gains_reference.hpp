// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/gain.hpp>

#include "support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <utility>
#include <vector>

/// Gains of all kinds, and the plain form of the ideal DCG.
namespace gains_reference {

using rankloss::ideal;
using reference::real;

template <class T>
std::vector<T> draw(std::mt19937_64& random, std::size_t n, const std::vector<T>& from) {
  std::vector<T> gains(n);
  for (T& g : gains)
    g = from.empty() ? static_cast<T>(std::ldexp(static_cast<double>(random() >> 11), -50))
                     : from[random() % from.size()];
  return gains;
}

/// Gains in a few bits, which are counted; in many, which are sorted; and, the empty one, of any value.
template <class T>
const std::vector<std::vector<T>>& kinds_of_gains() {
  static const std::vector<std::vector<T>> all{
      {1},
      {0},
      {T(1), T(1.25), T(1.5), T(1.75)},
      {T(-3), T(-3.5)},
      {0, 1, 3, 7, 15},
      {0, T(-0.0), T(0.1), T(0.2), 1},
      {0, std::numeric_limits<T>::min(), 1, T(1e30)},
      {T(-2), 0, T(0.3), 5},
      {},
  };
  return all;
}

/// 1 / log2(1 + position), counted from 1.
inline real discount(std::size_t position) { return 1 / std::log2(real(position) + 1); }

/// The formula, and what it would be were all gains positive: the scale that rounding goes by.
template <class T>
std::pair<real, real> plain(ideal kind, std::size_t cutoff, std::vector<T> gains) {
  std::sort(gains.begin(), gains.end(), std::greater<>());
  const std::size_t k = cutoff > 0 ? cutoff : gains.size();
  real sum = 0;
  real scale = 0;
  for (std::size_t i = 0; i < gains.size(); ++i) {
    std::size_t position = i + 1;
    if (kind == ideal::competition_ranks)
      position = 1 + static_cast<std::size_t>(
                         std::count_if(gains.begin(), gains.end(), [&](T g) { return g > gains[i]; }));
    if (position > k) continue;
    sum += real(gains[i]) * discount(position);
    scale += std::abs(real(gains[i])) * discount(position);
  }
  return {sum, scale};
}

}  // namespace gains_reference
