// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// The rows of a matrix as columns of another, in squares that fit the registers.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// A square of numbers of `size` bytes, as many to a side as fit a vector: `copy` writes it transposed.
/// Compilers make shuffles of a loop over it at times, and at other times a load and a store for each number.
template <std::size_t size>
struct register_square {
  static constexpr std::size_t side = 8;
  template <class X>
  [[gnu::always_inline]] static void copy(const X* from, std::size_t from_row, X* to,
                                          std::size_t to_row) noexcept {
    X square[side][side];
    for (std::size_t r = 0; r < side; ++r) std::copy_n(from + r * from_row, side, square[r]);
    for (std::size_t c = 0; c < side; ++c) {
      X column[side];
      for (std::size_t r = 0; r < side; ++r) column[r] = square[r][c];
      std::copy_n(column, side, to + c * to_row);
    }
  }
};

#if defined(__AVX__)
template <>
struct register_square<4> {
  static constexpr std::size_t side = 8;
  template <class X>
  [[gnu::always_inline]] static void copy(const X* items, std::size_t from_row, X* places,
                                          std::size_t to_row) noexcept {
    const auto* const from = reinterpret_cast<const float*>(items);
    auto* const to = reinterpret_cast<float*>(places);
    // Halves are brought to their side of the vector by the loads, so that what is left stays within halves.
    __m256 pair[side], square[side];
    for (std::size_t half = 0; half < 2; ++half)
      for (std::size_t r = 0; r < 4; ++r) {
        const float* const row = from + r * from_row + 4 * half;
        pair[4 * half + r] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row)),
                                                  _mm_loadu_ps(row + 4 * from_row), 1);
      }
    for (std::size_t k = 0; k < side; k += 4) {
      square[k] = _mm256_unpacklo_ps(pair[k], pair[k + 1]);
      square[k + 1] = _mm256_unpackhi_ps(pair[k], pair[k + 1]);
      square[k + 2] = _mm256_unpacklo_ps(pair[k + 2], pair[k + 3]);
      square[k + 3] = _mm256_unpackhi_ps(pair[k + 2], pair[k + 3]);
    }
    for (std::size_t k = 0; k < side; k += 4) {
      _mm256_storeu_ps(to + k * to_row, _mm256_shuffle_ps(square[k], square[k + 2], 0x44));
      _mm256_storeu_ps(to + (k + 1) * to_row, _mm256_shuffle_ps(square[k], square[k + 2], 0xee));
      _mm256_storeu_ps(to + (k + 2) * to_row, _mm256_shuffle_ps(square[k + 1], square[k + 3], 0x44));
      _mm256_storeu_ps(to + (k + 3) * to_row, _mm256_shuffle_ps(square[k + 1], square[k + 3], 0xee));
    }
  }
};

template <>
struct register_square<8> {
  static constexpr std::size_t side = 4;
  template <class X>
  [[gnu::always_inline]] static void copy(const X* items, std::size_t from_row, X* places,
                                          std::size_t to_row) noexcept {
    const auto* const from = reinterpret_cast<const double*>(items);
    auto* const to = reinterpret_cast<double*>(places);
    for (std::size_t half = 0; half < 2; ++half) {
      const auto pair = [&](std::size_t r) {
        const double* const row = from + r * from_row + 2 * half;
        return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(row)),
                                    _mm_loadu_pd(row + 2 * from_row), 1);
      };
      const __m256d a = pair(0), b = pair(1);
      _mm256_storeu_pd(to + 2 * half * to_row, _mm256_unpacklo_pd(a, b));
      _mm256_storeu_pd(to + (2 * half + 1) * to_row, _mm256_unpackhi_pd(a, b));
    }
  }
};
#elif defined(__SSE2__)
template <>
struct register_square<4> {
  static constexpr std::size_t side = 4;
  template <class X>
  [[gnu::always_inline]] static void copy(const X* items, std::size_t from_row, X* places,
                                          std::size_t to_row) noexcept {
    const auto* const from = reinterpret_cast<const float*>(items);
    auto* const to = reinterpret_cast<float*>(places);
    __m128 square[side];
    for (std::size_t r = 0; r < side; ++r) square[r] = _mm_loadu_ps(from + r * from_row);
    _MM_TRANSPOSE4_PS(square[0], square[1], square[2], square[3]);
    for (std::size_t c = 0; c < side; ++c) _mm_storeu_ps(to + c * to_row, square[c]);
  }
};
#endif

/// Brings a row to the second cache, or to the first one where it is about to be written.
template <bool writes, class X>
[[gnu::always_inline]] inline void prefetch_row([[maybe_unused]] const X* row,
                                                [[maybe_unused]] std::size_t n) noexcept {
#if defined(__GNUC__)
  for (std::size_t i = 0; i < n; i += 64 / sizeof(X))
    __builtin_prefetch(row + i, writes ? 1 : 0, writes ? 3 : 2);
#endif
}

/// to(l, i) = from(i, l) for all rows i and lists l: `from` has its lists next to each other, `to` its items.
/// Rows that are pages apart are out of reach of what the hardware prefetches; those of the next strip are
/// brought to the cache while one is copied. They do not go to the first cache, where rows of a power of two
/// apart take turns in few places.
template <class X>
inline void transpose(const X* from, std::size_t from_row, std::size_t rows, std::size_t lists, X* to,
                      std::size_t to_row) noexcept {
  using square = register_square<sizeof(X)>;
  constexpr std::size_t strip = 16, side = square::side;
  for (std::size_t first = 0; first < rows; first += strip) {
    const std::size_t end = std::min(first + strip, rows), next = std::min(end + strip, rows);
    for (std::size_t i = end; i < next; ++i) prefetch_row<false>(from + i * from_row, lists);
    for (std::size_t l = 0; l < lists; l += side) {
      std::size_t i = first;
      for (; i + side <= end && l + side <= lists; i += side)
        square::copy(from + i * from_row + l, from_row, to + l * to_row + i, to_row);
      for (std::size_t c = l; c < std::min(l + side, lists); ++c)
        for (std::size_t r = i; r < end; ++r) to[c * to_row + r] = from[r * from_row + c];
    }
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
