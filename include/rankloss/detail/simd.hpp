// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <utility>

namespace rankloss::detail {

/// Every kernel works on lanes of double, whatever the type of the scores: sums over long windows need the digits (docs/numerics.md).
template <class Arch>
using lanes = xsimd::batch<double, Arch>;

template <class Arch>
inline constexpr std::size_t lane_count = lanes<Arch>::size;

/// Sum of the lanes; xsimd renamed it after 8.1.
template <class T, class Arch>
[[nodiscard]] inline T sum_of(const xsimd::batch<T, Arch>& values) noexcept {
#if XSIMD_VERSION_MAJOR >= 10
  return xsimd::reduce_add(values);
#else
  return xsimd::hadd(values);
#endif
}

/// One row of lanes from memory of either type. The loop over a constant count becomes one conversion.
template <class Arch, class S>
[[gnu::always_inline]] inline lanes<Arch> load_row(const S* row) noexcept {
  if constexpr (sizeof(S) == sizeof(double)) {
    return lanes<Arch>::load_aligned(row);
  } else {
    alignas(64) double wide[lane_count<Arch>];
    for (std::size_t l = 0; l < lane_count<Arch>; ++l) wide[l] = static_cast<double>(row[l]);
    return lanes<Arch>::load_aligned(wide);
  }
}

template <class Arch, class S>
[[gnu::always_inline]] inline void store_row(S* row, const lanes<Arch>& values) noexcept {
  if constexpr (sizeof(S) == sizeof(double)) {
    values.store_aligned(row);
  } else {
    alignas(64) double wide[lane_count<Arch>];
    values.store_aligned(wide);
    for (std::size_t l = 0; l < lane_count<Arch>; ++l) row[l] = static_cast<S>(wide[l]);
  }
}

/// Calls body.template operator()<k>() for k = 0 .. N - 1, unrolled.
template <std::size_t N, class Body>
[[gnu::always_inline]] inline void unrolled(Body&& body) {
  [&]<std::size_t... k>(std::index_sequence<k...>) { (body.template operator()<k>(), ...); }
  (std::make_index_sequence<N>{});
}

}  // namespace rankloss::detail
