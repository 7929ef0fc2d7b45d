// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/loops.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The left factor of a product: element (r, k) is at data[r * row_stride + k * step]. A transposed matrix has
/// a row stride of 1.
template <class T>
struct left_factor {
  const T* data;
  std::size_t row_stride;
  std::size_t step = 1;

  [[nodiscard]] left_factor row(std::size_t r) const noexcept {
    return {data + r * row_stride, row_stride, step};
  }
};

/// Products of a few rows with a panel of `width` columns, whose sums over `terms` are all held in registers.
/// Each sum is formed in the order of the terms, whatever rows and columns are computed beside it.
///
///     out[r, l] = sum_k left[r, k] panel[k, l]
template <class T, class Arch>
struct product_tile {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t most_rows = 6;  // with two vectors each, as many as fit in 16 registers
  static constexpr std::size_t width = 2 * V::size;

  /// For up to most_rows rows. With Adds the sums begin with what `out` holds.
  template <bool Adds = false>
  static void run(std::size_t rows, const left_factor<T>& left, std::size_t terms, const T* panel,
                  std::size_t panel_stride, T* out, std::size_t out_stride) {
    of_at_most<most_rows, Adds>(rows, left, terms, panel, panel_stride, out, out_stride);
  }

 private:
  template <std::size_t most, bool Adds>
  static void of_at_most(std::size_t rows, const left_factor<T>& left, std::size_t terms, const T* panel,
                         std::size_t panel_stride, T* out, std::size_t out_stride) {
    if constexpr (most > 1)
      if (rows < most)
        return of_at_most<most - 1, Adds>(rows, left, terms, panel, panel_stride, out, out_stride);
    of_rows<most, Adds>(left, terms, panel, panel_stride, out, out_stride);
  }

  template <std::size_t rows, bool Adds>
  static void of_rows(const left_factor<T>& left, std::size_t terms, const T* panel, std::size_t panel_stride,
                      T* out, std::size_t out_stride) {
    std::array<std::array<V, 2>, rows> sum;
    unrolled<rows>([&]<std::size_t r> {
      if constexpr (Adds)
        sum[r] = {V::load_unaligned(out + r * out_stride), V::load_unaligned(out + r * out_stride + V::size)};
      else
        sum[r] = {V(T{0}), V(T{0})};
    });
    const T* x = left.data;
    for (std::size_t k = 0; k < terms; ++k, x += left.step, panel += panel_stride) {
      const V first = V::load_unaligned(panel);
      const V second = V::load_unaligned(panel + V::size);
      unrolled<rows>([&]<std::size_t r> {
        const V factor(x[r * left.row_stride]);
        sum[r][0] = xsimd::fma(factor, first, sum[r][0]);
        sum[r][1] = xsimd::fma(factor, second, sum[r][1]);
      });
    }
    unrolled<rows>([&]<std::size_t r> {
      sum[r][0].store_unaligned(out + r * out_stride);
      sum[r][1].store_unaligned(out + r * out_stride + V::size);
    });
  }
};

/// The same for any number of rows and of whole panels, which lie beside one another in rows of `right`.
template <class Arch, bool Adds, class T>
void add_product(std::size_t rows, const left_factor<T>& left, std::size_t terms, const T* right,
                 std::size_t right_stride, std::size_t columns, T* out, std::size_t out_stride) {
  using tile = product_tile<T, Arch>;
  for (std::size_t c = 0; c < columns; c += tile::width)
    for (std::size_t r = 0; r < rows; r += tile::most_rows)
      tile::template run<Adds>(rows - r < tile::most_rows ? rows - r : tile::most_rows, left.row(r), terms,
                               right + c, right_stride, out + r * out_stride + c, out_stride);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
