// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <cstddef>

/// Products of matrices, a square tile of the result for each block. A thread has 4 x 4 entries of a tile in
/// registers, and both operands come through shared memory.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Lines of a tile, and terms of the sums that are in shared memory at a time.
inline constexpr unsigned tile_side = 64;
inline constexpr unsigned tile_depth = 16;
/// Rows and columns of a tile that one thread has.
inline constexpr unsigned own_side = 4;
inline constexpr unsigned threads_a_side = tile_side / own_side;
inline constexpr unsigned product_threads = threads_a_side * threads_a_side;
/// Steps of tile_depth terms, the sum of which is one term of a longer sum: so errors grow by the length of
/// a sum divided by 128, and not by the length.
inline constexpr unsigned steps_of_part = 8;

/// A matrix of lines of a product, and of terms along them. `Along` says that the terms of a line lie one
/// behind the other, and lines `stride` apart; else it is the other way round.
template <class T, bool Along>
struct product_operand {
  const T* data;
  std::size_t stride;
  std::size_t lines;

  [[nodiscard]] __device__ T operator()(std::size_t line, std::size_t term) const {
    return Along ? data[line * stride + term] : data[term * stride + line];
  }
};

template <class T>
struct alignas(own_side * sizeof(T)) own_numbers {
  T x[own_side];
};

/// Terms of both operands. Lines are padded, so that writes of neighbouring terms meet different banks.
template <class T>
struct product_memory {
  own_numbers<T> a[tile_depth][threads_a_side + 1];
  own_numbers<T> b[tile_depth][threads_a_side + 1];
};

/// Where the entries of this thread begin within a tile.
[[nodiscard]] __device__ inline unsigned own_row() { return threadIdx.x / threads_a_side * own_side; }
[[nodiscard]] __device__ inline unsigned own_column() { return threadIdx.x % threads_a_side * own_side; }

/// Brings tile_depth terms of tile_side lines to shared memory, and 0 for what is behind the ends.
template <class T, bool Along>
__device__ inline void fetch_terms(const product_operand<T, Along>& from, std::size_t first_line,
                                   std::size_t first_term, std::size_t terms,
                                   own_numbers<T> (&to)[tile_depth][threads_a_side + 1]) {
#pragma unroll
  for (unsigned n = threadIdx.x; n < tile_side * tile_depth; n += product_threads) {
    const unsigned line = Along ? n / tile_depth : n % tile_side;
    const unsigned term = Along ? n % tile_depth : n / tile_side;
    const bool inside = first_line + line < from.lines && first_term + term < terms;
    to[term][line / own_side].x[line % own_side] = inside ? from(first_line + line, first_term + term) : T{0};
  }
}

/// The entries of this thread of the tile whose first row and column these are: sums over `terms` terms of
/// a(row, term) b(column, term). All threads of a block call it; the memory may be used again after it.
///
/// The order of a sum does not depend on the place of the entry, and a(., .) b(., .) commutes: equal lines
/// have equal products, in every tile and in every kernel.
template <class T, bool AlongA, bool AlongB>
__device__ inline void multiply_tile(const product_operand<T, AlongA>& a, const product_operand<T, AlongB>& b,
                                     std::size_t row, std::size_t column, std::size_t terms,
                                     product_memory<T>& memory, T (&sums)[own_side][own_side]) {
  T parts[own_side][own_side] = {};
#pragma unroll
  for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
    for (unsigned c = 0; c < own_side; ++c) sums[r][c] = T{0};
  const unsigned own_a = threadIdx.x / threads_a_side, own_b = threadIdx.x % threads_a_side;
  const auto add_parts = [&] {
#pragma unroll
    for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
      for (unsigned c = 0; c < own_side; ++c) {
        sums[r][c] += parts[r][c];
        parts[r][c] = T{0};
      }
  };
  unsigned steps = 0;
  for (std::size_t first = 0; first < terms; first += tile_depth) {
    fetch_terms(a, row, first, terms, memory.a);
    fetch_terms(b, column, first, terms, memory.b);
    __syncthreads();
#pragma unroll
    for (unsigned k = 0; k < tile_depth; ++k) {
      const own_numbers<T> x = memory.a[k][own_a], y = memory.b[k][own_b];
#pragma unroll
      for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
        for (unsigned c = 0; c < own_side; ++c) parts[r][c] = fma(x.x[r], y.x[c], parts[r][c]);
    }
    __syncthreads();
    if (++steps == steps_of_part) {
      add_parts();
      steps = 0;
    }
  }
  add_parts();
}

/// to[row][column] += sum of a(row, term) b(column, term), in rows `stride` apart. One tile a block.
template <class T, bool AlongA, bool AlongB>
__global__ void __launch_bounds__(product_threads)
    add_product(const product_operand<T, AlongA> a, const product_operand<T, AlongB> b, std::size_t terms,
                T* to, std::size_t stride) {
  __shared__ product_memory<T> memory;
  const std::size_t columns = (b.lines + tile_side - 1) / tile_side;
  const std::size_t row = blockIdx.x / columns * tile_side, column = blockIdx.x % columns * tile_side;
  T sums[own_side][own_side];
  multiply_tile(a, b, row, column, terms, memory, sums);
#pragma unroll
  for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
    for (unsigned c = 0; c < own_side; ++c) {
      const std::size_t i = row + own_row() + r, j = column + own_column() + c;
      if (i < a.lines && j < b.lines) to[i * stride + j] += sums[r][c];
    }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
