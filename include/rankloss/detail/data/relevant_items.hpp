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
  double heaviest = 0.0;
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    out[i] = !relevant(items, i) ? 0.0 : items.weights.empty() ? 1.0 : items.weights[i];
    heaviest = std::max(heaviest, out[i]);
  }
  if (!scaled || items.weights.empty() || !(heaviest > 0.0)) return;
  const int shift = std::ilogb(heaviest);
  for (double& w : out) w = std::ldexp(w, -shift);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
