// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/vectors.hpp>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// The embeddings of rows or of columns as products take them, and the way back of derivatives by them.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::held_as;
using rankloss::detail::is_finite;
using rankloss::detail::unit_length;
using rankloss::detail::unit_of;

/// Vectors of a block, each of which has a warp.
inline constexpr unsigned vectors_of_block = 4;

/// The number of 16 bits nearest to x.
template <class E>
[[nodiscard]] __device__ inline E rounded(float x) {
  if constexpr (std::is_same_v<E, half>)
    return {__half_as_ushort(__float2half_rn(x))};
  else
    return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}

/// The length of vectors of 16 bits, from this to twice as much, that are taken with length 1: no component
/// overflows in a half, and what is lost where one is subnormal is below 2^-35 of the length.
inline constexpr double packed_length = 1024.0;

/// One side of a batch. Vectors are of T, as they are or of length 1; or packed: numbers E of 16 bits, which
/// are not rounded, as they are, or times a power of two that brings their length near packed_length.
template <class T, class E = T>
struct embedding_side {
  device_vectors<T> given;
  std::size_t count;
  std::size_t dimension;
  std::size_t stride;         ///< of the given ones
  std::uint32_t unit;         ///< whether vectors are taken with length 1
  E* vectors;                 ///< [count, apart]
  std::size_t apart;          ///< elements from a vector to the next
  unit_length* lengths;       ///< [count] where they are
  double* largest;            ///< [count] greatest magnitude of a component
  std::uint64_t* not_finite;  ///< [count] the first component that is not finite, or no_component
};
template <class T, class E>
inline constexpr bool is_packed = !std::is_same_v<T, E>;
inline constexpr std::uint64_t no_component = ~std::uint64_t{0};

/// Makes the vectors of a side. A warp for each.
template <class T, class E>
__global__ void __launch_bounds__(vectors_of_block* warp_size)
    prepare_vectors(const embedding_side<T, E> side) {
  const warp_team team;
  const std::size_t i = std::size_t{blockIdx.x} * vectors_of_block + threadIdx.x / warp_size;
  if (i >= side.count) return;
  const std::size_t d = side.dimension, from = i * side.stride;
  double largest = 0.0;
  std::uint64_t bad = no_component;
  for (std::size_t k = team.rank(); k < d; k += team.size()) {
    const T x = side.given[from + k];
    if (is_finite(x))
      largest = fmax(largest, fabs(static_cast<double>(x)));
    else
      bad = k < bad ? k : bad;
  }
  largest = greatest(team, largest);
  bad = least(team, bad);
  unit_length length{};
  if (side.unit != 0) {
    // Squares of floats are doubles without scaling.
    if constexpr (sizeof(T) == sizeof(double)) length.scale = unit_of(largest);
    double square = 0.0;
    for (std::size_t k = team.rank(); k < d; k += team.size()) {
      const double x = length.scale * static_cast<double>(side.given[from + k]);
      square = fma(x, x, square);
    }
    square = sum(team, square);
    if constexpr (is_packed<T, E>) {
      length.scale = unit_of(sqrt(square)) * packed_length;
      square *= length.scale * length.scale;
    }
    length.inverse = square > 0.0 ? 1.0 / sqrt(square) : 0.0;
  }
  for (std::size_t k = team.rank(); k < d; k += team.size()) {
    const T x = side.given[from + k];
    if constexpr (is_packed<T, E>)
      side.vectors[i * side.apart + k] =
          rounded<E>(static_cast<float>(length.scale * static_cast<double>(x)));
    else
      side.vectors[i * side.apart + k] = side.unit != 0 ? static_cast<T>(length(static_cast<double>(x))) : x;
  }
  if (team.rank() != 0) return;
  side.largest[i] = largest;
  side.not_finite[i] = bad;
  if (side.unit != 0) side.lengths[i] = length;
}

/// A component of the vector of length 1.
template <class T, class E>
[[nodiscard]] __device__ inline double unit_component(const unit_length& length, const E& component) {
  if constexpr (is_packed<T, E>)
    return static_cast<double>(static_cast<float>(component)) * length.inverse;
  else
    return static_cast<double>(component);
}

/// Writes the gradient by `count` vectors of a side, from the first of these on, given the sums of derivatives by
/// them as products took them, as far apart as the vectors; NaN where `bad` is not 0. A warp for each.
///
///     g, or (g - (g u) u) / |x| by vectors x of which u has length 1
///
/// @param unit, lengths  what slopes were multiplied by where vectors are packed
template <class T, class E>
__global__ void __launch_bounds__(vectors_of_block* warp_size)
    commit_vectors(const embedding_side<T, E> side, const T* sums, std::size_t first, std::size_t count,
                   T* gradient, double scale, std::uint32_t add, const std::uint64_t* bad, const double* unit,
                   double lengths) {
  const warp_team team;
  const std::size_t n = std::size_t{blockIdx.x} * vectors_of_block + threadIdx.x / warp_size;
  if (n >= count) return;
  const std::size_t i = first + n, d = side.dimension;
  const T* const g = sums + n * side.apart;
  const E* const own = side.vectors + i * side.apart;
  double along = 0.0, back = 1.0;
  unit_length length{};
  if constexpr (is_packed<T, E>) back = 1.0 / (*unit * lengths);
  if (side.unit != 0) {
    length = side.lengths[i];
    for (std::size_t k = team.rank(); k < d; k += team.size())
      along = fma(static_cast<double>(g[k]), unit_component<T>(length, own[k]), along);
    along = sum(team, along);
  }
  for (std::size_t k = team.rank(); k < d; k += team.size()) {
    double slope = static_cast<double>(g[k]);
    if (side.unit != 0) {
      const double across = fma(-along, unit_component<T>(length, own[k]), slope);
      // The inverse is in the slopes of packed vectors.
      slope = held_as<double>(is_packed<T, E> ? across * back * length.scale
                                              : across * length.inverse * length.scale);
    } else if (is_packed<T, E>) {
      slope *= back;
    }
    T& to = gradient[i * d + k];
    const double x = held_as<double>(scale * slope);
    to = *bad != 0 ? not_a_number<T> : held_as<T>(add != 0 ? static_cast<double>(to) + x : x);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
