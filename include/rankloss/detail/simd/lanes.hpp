// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Every kernel works on lanes of double, whatever the type of the scores: sums over long windows need the digits (docs/numerics.md).
template <class Arch>
using lanes = xsimd::batch<double, Arch>;

template <class Arch>
using bits = xsimd::batch<std::uint64_t, Arch>;

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

/// The bit patterns of lanes; xsimd changed the template argument after 8.1.
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

/// Lanes 0, 1, 2, ...
template <class V>
[[nodiscard]] [[gnu::always_inline]] inline V lane_numbers() noexcept {
  using S = typename V::value_type;
  alignas(64) S index[V::size];
  for (std::size_t l = 0; l < V::size; ++l) index[l] = static_cast<S>(l);
  return V::load_aligned(index);
}

/// One row of lanes from memory of any arithmetic type, and back. Between float and double it is one instruction, which compilers do not
/// always find in the loop.
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
  if constexpr (std::is_same_v<S, float> && w == 8) return _mm256_storeu_ps(row, _mm512_cvtpd_ps(values.data));
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<S, float> && w == 4) return _mm_storeu_ps(row, _mm256_cvtpd_ps(values.data));
#endif
  alignas(64) double wide[w];
  values.store_aligned(wide);
  for (std::size_t l = 0; l < w; ++l) row[l] = static_cast<S>(wide[l]);
}

template <class S>
struct extremes {
  S least, most;
};
/// The least and the greatest of n > 0 values, none NaN; by fours, since each comparison waits for the one before it.
template <class Values>
[[nodiscard]] inline auto extremes_of(const Values& values) noexcept {
  using S = std::remove_cvref_t<decltype(values[0])>;
  extremes<S> lane[4];
  std::fill_n(lane, 4, extremes<S>{values[0], values[0]});
  const auto take = [&](extremes<S>& e, std::size_t i) {
    e.least = values[i] < e.least ? values[i] : e.least;
    e.most = values[i] > e.most ? values[i] : e.most;
  };
  std::size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    take(lane[0], i);
    take(lane[1], i + 1);
    take(lane[2], i + 2);
    take(lane[3], i + 3);
  }
  for (; i < values.size(); ++i) take(lane[0], i);
  extremes<S> all = lane[0];
  for (const extremes<S>& e : lane) all = {std::min(all.least, e.least), std::max(all.most, e.most)};
  return all;
}

/// Asks for memory two cache lines ahead of an item: for walks along hundreds of streams, more than the machine follows by itself.
template <class T>
[[gnu::always_inline]] inline void prefetch_ahead([[maybe_unused]] const T* item) noexcept {
#if defined(__GNUC__)
  // By way of an integer, since a pointer may not go beyond the end of its array. NOLINTNEXTLINE(performance-no-int-to-ptr)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(item) + 128));
#endif
}

/// Calls body.template operator()<k>() for k = 0 .. N - 1, unrolled.
template <std::size_t N, class Body>
[[gnu::always_inline]] inline void unrolled(Body&& body) {
  [&]<std::size_t... k>(std::index_sequence<k...>) { (body.template operator()<k>(), ...); }
  (std::make_index_sequence<N>{});
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
