// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The left factor of a product: element (r, k) is at data[r * row_stride + k * step]. A transposed matrix
/// has a row stride of 1.
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

  /// The sums of one row. They are variables of their own, because compilers keep arrays of lanes in memory.
  struct row_sums {
    V first = V(T{0});
    V second = V(T{0});

    [[gnu::always_inline]] void load(const T* out) noexcept {
      first = V::load_unaligned(out);
      second = V::load_unaligned(out + V::size);
    }
    [[gnu::always_inline]] void add(T factor, const V& left, const V& right) noexcept {
      const V all(factor);
      first = xsimd::fma(all, left, first);
      second = xsimd::fma(all, right, second);
    }
    [[gnu::always_inline]] void store(T* out) const noexcept {
      first.store_unaligned(out);
      second.store_unaligned(out + V::size);
    }
  };

  template <std::size_t rows, bool Adds>
  static void of_rows(const left_factor<T>& left, std::size_t terms, const T* panel, std::size_t panel_stride,
                      T* out, std::size_t out_stride) {
    row_sums a, b, c, d, e, f;
    const auto for_each = [&](auto body) {
      body(a, 0);
      if constexpr (rows > 1) body(b, 1);
      if constexpr (rows > 2) body(c, 2);
      if constexpr (rows > 3) body(d, 3);
      if constexpr (rows > 4) body(e, 4);
      if constexpr (rows > 5) body(f, 5);
    };
    if constexpr (Adds) for_each([&](row_sums& sums, std::size_t r) { sums.load(out + r * out_stride); });
    const T* x = left.data;
    const std::size_t row_stride = left.row_stride, step = left.step;
    for (std::size_t k = 0; k < terms; ++k, x += step, panel += panel_stride) {
      const V first = V::load_unaligned(panel);
      const V second = V::load_unaligned(panel + V::size);
      for_each([&](row_sums& sums, std::size_t r) { sums.add(x[r * row_stride], first, second); });
    }
    for_each([&](const row_sums& sums, std::size_t r) { sums.store(out + r * out_stride); });
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
