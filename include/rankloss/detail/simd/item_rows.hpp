// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>

/// Loops over the items of one list, one row of lanes at a time, for losses that are sums over the items.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The count of a whole row, as a type. The last row of a list may hold fewer items; its count is a
/// std::size_t.
template <class Arch>
using whole_row = std::integral_constant<std::size_t, lane_count<Arch>>;

/// Calls body(i, count) for each row of n items that starts at item i; count is a whole_row except for a last
/// row that is not full.
template <class Arch, class Body>
[[gnu::always_inline]] inline void for_rows(std::size_t n, Body body) {
  std::size_t i = 0;
  for (; i + lane_count<Arch> <= n; i += lane_count<Arch>) body(i, whole_row<Arch>{});
  if (i < n) body(i, n - i);
}

[[nodiscard]] constexpr std::size_t padded_rows(std::size_t n, std::size_t w) noexcept {
  return (n + w - 1) / w * w;
}

template <class Arch, class S, class Count>
[[gnu::always_inline]] inline lanes<Arch> load_items(const S* items, Count count,
                                                     double rest = 0.0) noexcept {
  if constexpr (std::is_same_v<Count, whole_row<Arch>>) {
    return load_row<Arch>(items);
  } else {
    alignas(64) double row[lane_count<Arch>];
    std::fill_n(row, lane_count<Arch>, rest);
    for (std::size_t l = 0; l < count; ++l) row[l] = static_cast<double>(items[l]);
    return lanes<Arch>::load_aligned(row);
  }
}

template <class Arch, class S, class Count>
[[gnu::always_inline]] inline void store_items(S* items, Count count, const lanes<Arch>& values) noexcept {
  if constexpr (std::is_same_v<Count, whole_row<Arch>>) {
    store_row<Arch>(items, values);
  } else {
    alignas(64) double row[lane_count<Arch>];
    values.store_aligned(row);
    for (std::size_t l = 0; l < count; ++l) items[l] = static_cast<S>(row[l]);
  }
}

/// The values, with 0 in the lanes that hold no item.
template <class Arch, class Count>
[[gnu::always_inline]] inline lanes<Arch> only_items(Count count, const lanes<Arch>& values) noexcept {
  using V = lanes<Arch>;
  if constexpr (std::is_same_v<Count, whole_row<Arch>>) {
    return values;
  } else {
    return xsimd::select(lane_numbers<V>() < V(static_cast<double>(count)), values, V(0.0));
  }
}

/// Numbers of magnitude up to `most`, or the nearest such number. In place of NaN is either end.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> within_magnitude(const lanes<Arch>& x,
                                                                         double most) noexcept {
  using V = lanes<Arch>;
  return xsimd::min(xsimd::max(x, V(-most)), V(most));
}
/// `bounded_term` of lanes.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> bounded_term(const lanes<Arch>& x) noexcept {
  return within_magnitude(x, largest_term);
}

/// What is left of n > 0 numbers where pick(a, b) is one of two of them, or one in each lane of two vectors.
template <class Arch, class S, class Pick>
[[nodiscard]] S picked_of(const S* items, std::size_t n, Pick pick) noexcept {
  S most = items[0];
  std::size_t i = 0;
  if constexpr (std::is_same_v<S, float> || std::is_same_v<S, double>) {
    using V = xsimd::batch<S, Arch>;
    constexpr std::size_t w = V::size;
    if (n >= 2 * w) {
      V a = V::load_unaligned(items);
      V b = V::load_unaligned(items + w);
      for (i = 2 * w; i + 2 * w <= n; i += 2 * w) {
        a = pick(a, V::load_unaligned(items + i));
        b = pick(b, V::load_unaligned(items + i + w));
      }
      alignas(64) S row[w];
      pick(a, b).store_aligned(row);
      for (const S x : row) most = pick(most, x);
    }
  }
  for (; i < n; ++i) most = pick(most, items[i]);
  return most;
}

/// The greatest of n > 0 numbers.
template <class Arch, class S>
[[nodiscard]] S largest_of(const S* items, std::size_t n) noexcept {
  return picked_of<Arch>(items, n, [](const auto& a, const auto& b) {
    using std::max;
    return max(a, b);
  });
}
/// The least of n > 0 numbers.
template <class Arch, class S>
[[nodiscard]] S smallest_of(const S* items, std::size_t n) noexcept {
  return picked_of<Arch>(items, n, [](const auto& a, const auto& b) {
    using std::min;
    return min(a, b);
  });
}

/// The distance of scores s below the greatest score m, (m - s) / temperature >= 0, which is finite for all
/// scores. Infinite scores count as the largest finite numbers of their type.
template <class Arch, class T>
struct score_distance {
  using V = lanes<Arch>;
  static constexpr double largest_score = static_cast<double>(std::numeric_limits<T>::max());

  // Scores are halved first, since the difference of two doubles may overflow.
  score_distance(T greatest, double temperature)
      : greatest_(static_cast<double>(bounded(greatest))), half_(0.5 * greatest_), unit_(2.0 / temperature) {}

  /// The greatest score, whose distance is 0.
  [[nodiscard]] double greatest() const noexcept { return greatest_; }

  [[gnu::always_inline]] V operator()(const V& scores) const noexcept {
    return between(scores, V(greatest_), V(half_), V(unit_));
  }

  /// The same in lanes with a greatest score each, which is finite.
  /// @param half  of the greatest
  /// @param unit  2 / temperature
  [[gnu::always_inline]] static V between(const V& scores, const V& greatest, const V& half,
                                          const V& unit) noexcept {
    const V finite = xsimd::min(xsimd::max(scores, V(-largest_score)), greatest);
    const V distance = xsimd::fma(finite, V(-0.5), half) * unit;
    if constexpr (single_precision<T>)
      return distance;
    else
      return xsimd::min(distance, V(std::numeric_limits<double>::max()));
  }

 private:
  double greatest_, half_, unit_;
};

/// exp(-x) for x >= 0, to the precision that scores of type T require; 0 where it would be below exp(-700).
template <class T, class Arch>
[[gnu::always_inline]] inline lanes<Arch> exp_below(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  if constexpr (single_precision<T>)
    return xsimd::select(x < V(700.0), exp_minus_near(xsimd::min(x, V(700.0)), exp2m1_7), V(0.0));
  else
    return exp_minus(x);
}

/// The base of softmaxes over scores of type T, by its logarithm: that of the fastest power with enough digits.
template <class T>
inline constexpr double log_of_base = by_precision<T>(std::numbers::ln2, 1.0);
/// That base to the power of -x, for x >= 0; 0 or below 1e-300 where it would be below exp(-690).
template <class T, class Arch>
[[gnu::always_inline]] inline lanes<Arch> power_below(const lanes<Arch>& x) noexcept {
  if constexpr (single_precision<T>)
    return exp2_minus_near(xsimd::min(x, lanes<Arch>(1000.0)), exp2m1_7);
  else
    return exp_minus(x);
}

/// A factor on derivatives, limited so that its product with a number of magnitude at most 2 is in the range
/// of T.
template <class T>
[[nodiscard]] inline double bounded_factor(double factor) noexcept {
  constexpr double limit = 0.25 * static_cast<double>(std::numeric_limits<T>::max());
  return std::clamp(factor, -limit, limit);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
