// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether item i is relevant.
template <class T, class R>
[[nodiscard]] bool relevant(const list<T, R>& items, std::size_t i) noexcept {
  return items.relevance[i] > R{0} && (items.weights.empty() || items.weights[i] > 0.0);
}

template <class T, class R>
[[nodiscard]] bool any_relevant(const list<T, R>& items) noexcept {
  for (std::size_t i = 0; i < items.size_with_missed(); ++i)
    if (relevant(items, i)) return true;
  return false;
}

template <class T, class R>
[[nodiscard]] std::size_t relevant_count(const list<T, R>& items) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) count += relevant(items, i) ? 1u : 0u;
  return count;
}

/// Weights of the relevant items, including missed ones, and 0 for the others. With `scaled` they are brought
/// near 1 by a power of two, which is exact, so that no sum overflows; quotients of sums of weights do not
/// change.
template <class T, class R>
void relevant_weights(const list<T, R>& items, bool scaled, std::span<double> out) {
  const std::size_t n = items.size_with_missed();
  if (items.weights.empty()) {
    for (std::size_t i = 0; i < n; ++i) out[i] = items.relevance[i] > R{0} ? 1.0 : 0.0;
    return;
  }
  double heaviest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = relevant(items, i) ? items.weights[i] : 0.0;
    heaviest = std::max(heaviest, out[i]);
  }
  if (!scaled || !(heaviest > 0.0)) return;
  const int shift = std::ilogb(heaviest);
  for (double& w : out) w = std::ldexp(w, -shift);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
