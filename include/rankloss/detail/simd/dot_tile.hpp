// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/precision.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Writes x / |x|, component k to to[k * step]. A zero vector stays zero, and the computation of |x| does not
/// overflow.
template <class T>
void normalise(const T* x, std::size_t dimension, T* to, std::size_t step) {
  double scale = 1.0;
  if constexpr (!single_precision<T>) {  // the squares of floats fit in a double without scaling
    double largest = 0.0;
    for (std::size_t k = 0; k < dimension; ++k) largest = std::max(largest, std::abs(x[k]));
    if (largest > 0.0) scale = std::ldexp(1.0, -std::clamp(std::ilogb(largest), -1000, 1000));
  }
  std::array<double, 8> squares{};
  for (std::size_t k = 0; k < dimension; ++k) {
    const double component = scale * static_cast<double>(x[k]);
    squares[k % 8] += component * component;
  }
  double square = 0.0;
  for (const double part : squares) square += part;
  const double factor = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (std::size_t k = 0; k < dimension; ++k)
    to[k * step] = static_cast<T>(scale * static_cast<double>(x[k]) * factor);
}

/// Dot products of a few captions with a panel of texts, with as many accumulators as fit in 16 registers.
template <class T, class Arch>
struct dot_tile {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t captions = 6;
  static constexpr std::size_t width = 2 * V::size;  // texts in a panel, component by component

  static void run(const T* caption, std::size_t dimension, const T* panel, T* dots) {
    std::array<std::array<V, 2>, captions> sum;
    unrolled<captions>([&]<std::size_t c> { sum[c] = {V(T{0}), V(T{0})}; });
    for (std::size_t k = 0; k < dimension; ++k) {
      const V left = V::load_aligned(panel + k * width);
      const V right = V::load_aligned(panel + k * width + V::size);
      unrolled<captions>([&]<std::size_t c> {
        const V x(caption[c * dimension + k]);
        sum[c][0] = xsimd::fma(x, left, sum[c][0]);
        sum[c][1] = xsimd::fma(x, right, sum[c][1]);
      });
    }
    unrolled<captions>([&]<std::size_t c> {
      sum[c][0].store_aligned(dots + c * width);
      sum[c][1].store_aligned(dots + c * width + V::size);
    });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
