// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Every kernel works on lanes of double, whatever the type of the scores: sums over long windows need the
/// precision (docs/numerics.md).
template <class Arch>
using lanes = xsimd::batch<double, Arch>;

template <class Arch>
using bits = xsimd::batch<std::uint64_t, Arch>;

template <class Arch>
inline constexpr std::size_t lane_count = lanes<Arch>::size;

#if defined(__GNUC__) && !defined(__clang__)
template <std::size_t w>
struct lane_indices {
  typedef long long type __attribute__((vector_size(w * sizeof(double))));
};
#endif
/// Lane l of the result is lane from[l] of x, or lane from[l] - w of y where that is w or more. xsimd has no such function
/// that all its versions know.
template <class Arch, std::size_t... from>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> lanes_of(const lanes<Arch>& x, const lanes<Arch>& y,
                                                                 std::index_sequence<from...>) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  static_assert(sizeof...(from) == w);
#if defined(__clang__)
  return lanes<Arch>(__builtin_shufflevector(x.data, y.data, static_cast<int>(from)...));
#elif defined(__GNUC__)
  using indices = typename lane_indices<w>::type;
  return lanes<Arch>(__builtin_shuffle(x.data, y.data, indices{static_cast<long long>(from)...}));
#else
  alignas(64) double both[2 * w], to[w];
  x.store_aligned(both);
  y.store_aligned(both + w);
  double* at = to;
  ((*at++ = both[from]), ...);
  return lanes<Arch>::load_aligned(to);
#endif
}

/// The first lane.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline double first_of(const lanes<Arch>& x) noexcept {
#if defined(__GNUC__)
  return x.data[0];
#else
  return x.get(0);
#endif
}

/// Sum of the lanes. xsimd renamed the function after version 8.1.
template <class T, class Arch>
[[nodiscard]] inline T sum_of(const xsimd::batch<T, Arch>& values) noexcept {
#if XSIMD_VERSION_MAJOR >= 10
  return xsimd::reduce_add(values);
#else
  return xsimd::hadd(values);
#endif
}

/// The bit patterns of lanes. xsimd changed the template argument after version 8.1.
template <class Arch, class S>
[[nodiscard]] [[gnu::always_inline]] inline auto to_bits(const xsimd::batch<S, Arch>& values) noexcept {
  using unsigned_type = std::conditional_t<sizeof(S) == 4, std::uint32_t, std::uint64_t>;
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::bitwise_cast<unsigned_type>(values);
#else
  return xsimd::bitwise_cast<xsimd::batch<unsigned_type, Arch> >(values);
#endif
}
template <class Arch, class B>
[[nodiscard]] [[gnu::always_inline]] inline auto from_bits(const xsimd::batch<B, Arch>& patterns) noexcept {
  using real = std::conditional_t<sizeof(B) == 4, float, double>;
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::bitwise_cast<real>(patterns);
#else
  return xsimd::bitwise_cast<xsimd::batch<real, Arch> >(patterns);
#endif
}

/// The lane numbers 0, 1, 2, ...
template <class V>
[[nodiscard]] [[gnu::always_inline]] inline V lane_numbers() noexcept {
  using S = typename V::value_type;
  alignas(64) S index[V::size];
  for (std::size_t l = 0; l < V::size; ++l) index[l] = static_cast<S>(l);
  return V::load_aligned(index);
}

/// Loads one row of lanes from memory of any arithmetic type; store_row is the inverse. A conversion between
/// float and double is one instruction, which compilers do not always generate for a loop.
template <class Arch, class S>
[[gnu::always_inline]] inline lanes<Arch> load_row(const S* row) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  if constexpr (std::is_same_v<S, double>) return lanes<Arch>::load_unaligned(row);
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<S, float> && w == 8) return lanes<Arch>(_mm512_cvtps_pd(_mm256_loadu_ps(row)));
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<S, float> && w == 4) return lanes<Arch>(_mm256_cvtps_pd(_mm_loadu_ps(row)));
#endif
  alignas(64) double wide[w];
  for (std::size_t l = 0; l < w; ++l) wide[l] = static_cast<double>(row[l]);
  return lanes<Arch>::load_aligned(wide);
}

template <class Arch, class S>
[[gnu::always_inline]] inline void store_row(S* row, const lanes<Arch>& values) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  if constexpr (std::is_same_v<S, double>) return values.store_unaligned(row);
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<S, float> && w == 8)
    return _mm256_storeu_ps(row, _mm512_cvtpd_ps(values.data));
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<S, float> && w == 4) return _mm_storeu_ps(row, _mm256_cvtpd_ps(values.data));
#endif
  alignas(64) double wide[w];
  values.store_aligned(wide);
  for (std::size_t l = 0; l < w; ++l) row[l] = static_cast<S>(wide[l]);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
