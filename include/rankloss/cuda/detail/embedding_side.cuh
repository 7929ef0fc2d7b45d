// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <cstddef>
#include <cstdint>

/// The embeddings of rows or of columns as products take them, and the way back of derivatives by them.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::held_as;
using rankloss::detail::is_finite;
using rankloss::detail::unit_length;
using rankloss::detail::unit_of;

/// Vectors of a block, each of which has a warp.
inline constexpr unsigned vectors_of_block = 4;

/// One side of a batch.
template <class T>
struct embedding_side {
  device_vectors<T> given;
  std::size_t count;
  std::size_t dimension;
  std::size_t stride;         ///< of the given ones
  std::uint32_t unit;         ///< whether vectors are taken with length 1
  T* vectors;                 ///< [count, dimension]
  unit_length* lengths;       ///< [count] where they are
  double* largest;            ///< [count] greatest magnitude of a component
  std::uint64_t* not_finite;  ///< [count] the first component that is not finite, or no_component
};
inline constexpr std::uint64_t no_component = ~std::uint64_t{0};

/// Makes the vectors of a side. A warp for each.
template <class T>
__global__ void __launch_bounds__(vectors_of_block* warp_size) prepare_vectors(const embedding_side<T> side) {
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
    length.inverse = square > 0.0 ? 1.0 / sqrt(square) : 0.0;
  }
  for (std::size_t k = team.rank(); k < d; k += team.size()) {
    const T x = side.given[from + k];
    side.vectors[i * d + k] = side.unit != 0 ? static_cast<T>(length(static_cast<double>(x))) : x;
  }
  if (team.rank() != 0) return;
  side.largest[i] = largest;
  side.not_finite[i] = bad;
  if (side.unit != 0) side.lengths[i] = length;
}

/// Writes the gradient by the first `count` vectors of a side, given the sums of derivatives by them as
/// products took them; NaN where `bad` is not 0. A warp for each.
///
///     g, or (g - (g u) u) / |x| by vectors x of which u has length 1
template <class T>
__global__ void __launch_bounds__(vectors_of_block* warp_size)
    commit_vectors(const embedding_side<T> side, const T* sums, std::size_t count, T* gradient, double scale,
                   std::uint32_t add, const std::uint64_t* bad) {
  const warp_team team;
  const std::size_t i = std::size_t{blockIdx.x} * vectors_of_block + threadIdx.x / warp_size;
  if (i >= count) return;
  const std::size_t d = side.dimension;
  const T* const g = sums + i * d;
  const T* const u = side.vectors + i * d;
  double along = 0.0;
  unit_length length{};
  if (side.unit != 0) {
    for (std::size_t k = team.rank(); k < d; k += team.size())
      along = fma(static_cast<double>(g[k]), static_cast<double>(u[k]), along);
    along = sum(team, along);
    length = side.lengths[i];
  }
  for (std::size_t k = team.rank(); k < d; k += team.size()) {
    double slope = static_cast<double>(g[k]);
    if (side.unit != 0) {
      const double across = fma(-along, static_cast<double>(u[k]), slope);
      slope = held_as<double>(across * length.inverse * length.scale);
    }
    T& to = gradient[i * d + k];
    const double x = held_as<double>(scale * slope);
    to = *bad != 0 ? not_a_number<T> : held_as<T>(add != 0 ? static_cast<double>(to) + x : x);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
