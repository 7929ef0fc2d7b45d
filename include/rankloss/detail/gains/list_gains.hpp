// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/gain.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The gain of a relevance without a table, divided by 2^shift. A relevance below 0, which data checks reject,
/// counts as 0 when data are not checked.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double gain_of(gain kind, double y, double shift) {
  y = y < 0.0 ? 0.0 : y;
  if (kind == gain::linear) return y * std::exp2(-shift);
  // Below 1/2 the difference of powers would lose precision.
  if (y < 0.5) return std::expm1(y * std::numbers::ln2) * std::exp2(-shift);
  return std::exp2(y - shift) - std::exp2(-shift);
}
/// The same, also with a table.
[[nodiscard]] inline double gain_of(gain kind, std::span<const double> table, double y, double shift) {
  return kind == gain::table ? worth_in(table, y) : gain_of(kind, y, shift);
}

/// How the gains of a list are scaled: divided by 2^shift or multiplied by a unit, so that the largest is near
/// 1 and no sum overflows. Both are powers of two, which is exact; a quotient of two DCGs does not change.
struct gain_scale {
  gain kind;
  std::span<const double> table;
  double shift = 0.0;
  double unit = 1.0;
  double lowest = 1.0;  ///< 2^-shift

  /// The gain of a relevance; as gain_of.
  [[nodiscard]] double of(double y) const noexcept {
    if (kind == gain::table) return worth_in(table, y) * unit;
    y = y < 0.0 ? 0.0 : y;
    if (kind == gain::linear) return y * lowest;
    if (y < 0.5) return std::expm1(y * std::numbers::ln2) * lowest;
    return std::exp2(y - shift) - lowest;
  }
};

/// For quotients of DCGs of a list whose largest relevance, or largest gain of a table, is given.
[[nodiscard]] inline gain_scale scale_of_gains(gain kind, std::span<const double> table, double largest) {
  gain_scale scale{kind, table};
  if (kind == gain::table) scale.unit = gain_unit(largest);
  if (kind == gain::exponential && largest > 0.0 && largest < 1e-30)
    scale.kind = gain::linear;  // 2^y - 1 is in proportion to y
  if (scale.kind == gain::linear && largest > 0.0) scale.shift = std::clamp(std::ilogb(largest), -1000, 1000);
  if (scale.kind == gain::exponential && largest > 500.0) scale.shift = largest;
  scale.lowest = std::exp2(-scale.shift);
  return scale;
}

/// @param scaled  whether only quotients of DCGs are wanted; otherwise the gains stay as they are
template <class T, class R>
[[nodiscard]] gain_scale scale_of_gains(const list<T, R>& items, gain kind, std::span<const double> table,
                                        bool scaled) {
  if (!scaled) return {kind, table};
  return scale_of_gains(kind, table, largest_counted(items.relevance, items.weights, [&](double y) {
                          return kind == gain::table ? worth_in(table, y) : y;
                        }));
}

/// Gains of a list, including missed items, times its item weights. With `scaled` the weights are brought
/// near 1 as the gains are; items that are worth nothing may be heavier by any factor.
template <class T, class R>
void weighted_gains(const list<T, R>& items, const gain_scale& scale, bool scaled, std::span<double> gains) {
  double heaviest = 0.0;
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    gains[i] = scale.of(static_cast<double>(items.relevance[i]));
    if (gains[i] > 0.0 && !items.weights.empty()) heaviest = std::max(heaviest, items.weights[i]);
  }
  if (items.weights.empty()) return;
  const int weight_shift = scaled && heaviest > 0.0 ? std::ilogb(heaviest) : 0;
  for (std::size_t i = 0; i < items.size_with_missed(); ++i) {
    const double product = items.weights[i] > 0.0 && gains[i] > 0.0
                               ? gains[i] * std::ldexp(items.weights[i], -weight_shift)
                               : 0.0;
    gains[i] = is_finite(opaque(gains[i])) ? held_as<double>(product) : product;
  }
}
template <class T, class R>
void weighted_gains(const list<T, R>& items, gain kind, std::span<const double> table, bool scaled,
                    std::span<double> gains) {
  weighted_gains(items, scale_of_gains(items, kind, table, scaled), scaled, gains);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
