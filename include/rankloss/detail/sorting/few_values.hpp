// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The different values of a list that has few of them, such as the gains of some grades, in descending order,
/// and how often each occurs. Each is found by a pass for the greatest value that is less than the one before,
/// which takes a fraction of a sort.
template <class T>
class few_values {
 public:
  static constexpr std::size_t most = 8;
  /// Occurrences are counted in lanes of the type of the values, which hold these numbers exactly.
  static constexpr std::size_t longest = std::size_t{1} << 16;

  explicit few_values(std::span<const T> values) noexcept {
    const std::size_t n = values.size();
    if (n > longest) return;
    std::size_t counted = 0;
    T bound{0};
    while (counted < n && count_ < most) {
      const T value = count_ == 0 ? greatest(values) : greatest_below(values, bound);
      const std::size_t here = occurrences(values, value);
      // Nothing is found where what is left is minus infinity or, in data that are not checked, a NaN.
      if (here == 0 || (count_ > 0 && !(value < bound))) return;
      values_[count_] = value;
      counts_[count_++] = here;
      counted += here;
      bound = value;
    }
    apply_ = counted == n;
  }

  /// Whether the list has as few as that.
  [[nodiscard]] bool apply() const noexcept { return apply_; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T value(std::size_t k) const noexcept { return values_[k]; }
  [[nodiscard]] std::size_t count(std::size_t k) const noexcept { return counts_[k]; }

 private:
  using V = xsimd::batch<T>;
  static constexpr T lowest = std::numeric_limits<T>::lowest();

  /// The greatest of what `of` leaves of the values. Two rows at a time: a maximum waits for the one before.
  template <class Of>
  [[nodiscard]] static T greatest_of(std::span<const T> values, const Of& of) noexcept {
    constexpr std::size_t w = V::size;
    const T* const x = values.data();
    V a(lowest), b(lowest);
    std::size_t i = 0;
    for (; i + 2 * w <= values.size(); i += 2 * w) {
      a = xsimd::max(a, of(V::load_unaligned(x + i)));
      b = xsimd::max(b, of(V::load_unaligned(x + i + w)));
    }
    alignas(64) T row[w];
    if (i < values.size()) {
      alignas(64) T rest[2 * w];
      std::fill_n(rest, 2 * w, lowest);
      std::copy(x + i, x + values.size(), rest);
      a = xsimd::max(a, of(V::load_aligned(rest)));
      b = xsimd::max(b, of(V::load_aligned(rest + w)));
    }
    xsimd::max(a, b).store_aligned(row);
    T all = row[0];
    for (std::size_t l = 1; l < w; ++l) all = std::max(all, row[l]);
    return all;
  }
  [[nodiscard]] static T greatest(std::span<const T> values) noexcept {
    return greatest_of(values, [](const V& x) { return x; });
  }
  [[nodiscard]] static T greatest_below(std::span<const T> values, T bound) noexcept {
    return greatest_of(values, [bound](const V& x) { return xsimd::select(x < V(bound), x, V(lowest)); });
  }

  [[nodiscard]] static std::size_t occurrences(std::span<const T> values, T value) noexcept {
    constexpr std::size_t w = V::size;
    V a(T(0));
    std::size_t i = 0;
    for (; i + w <= values.size(); i += w)
      a += xsimd::select(V::load_unaligned(values.data() + i) == V(value), V(T(1)), V(T(0)));
    alignas(64) T row[w];
    a.store_aligned(row);
    std::size_t all = 0;
    for (const T lane : row) all += static_cast<std::size_t>(lane);
    for (; i < values.size(); ++i) all += values[i] == value ? 1u : 0u;
    return all;
  }

  std::array<T, most> values_{};
  std::array<std::size_t, most> counts_{};
  std::size_t count_ = 0;
  bool apply_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
