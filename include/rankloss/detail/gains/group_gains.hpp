// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Ideal DCGs of lists in lanes. gains: [lane][rows], the lowest number of T where a list has ended; a copy
/// of them is sorted.
template <class Arch, class Discount = log2_discount, class T>
[[nodiscard]] lanes<Arch> ideal_dcg_of_group(ideal kind, std::size_t cutoff, const T* gains, std::size_t rows,
                                             workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const workspace::scope scope(scratch);
  const std::size_t all_rows = network_rows(rows);
  const std::span<double> sorted = scratch.take<double>(all_rows * w);
  const std::span<double> discount = scratch.take<double>(rows + w);
  fill_discounts<Arch, Discount>(0, rows, discount.data());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t l = 0; l < w; ++l) sorted[i * w + l] = static_cast<double>(gains[l * rows + i]);
  std::fill(sorted.begin() + static_cast<std::ptrdiff_t>(rows * w), sorted.end(),
            std::numeric_limits<double>::lowest());
  sort_rows(
      all_rows, [&](std::size_t i) { return V::load_aligned(sorted.data() + i * w); },
      [&](std::size_t i, const V& row) { row.store_aligned(sorted.data() + i * w); },
      [](V& greater, V& less) {
        const V g = xsimd::max(greater, less);
        less = xsimd::min(greater, less);
        greater = g;
      });

  const V ended(static_cast<double>(std::numeric_limits<T>::lowest()));
  const std::size_t k = counted_by(cutoff, rows);
  V sum(0.0);
  V previous(ended);
  V shared(0.0);  // discount of the best position among equals; 0 beyond the cutoff
  for (std::size_t i = 0; i < (kind == ideal::sorted ? k : rows); ++i) {
    const V g = V::load_aligned(sorted.data() + i * w);
    const V own(i < k ? discount[i] : 0.0);
    shared = kind == ideal::sorted ? own : xsimd::select(g == previous, shared, own);
    previous = g;
    sum = xsimd::fma(xsimd::select(g == ended, V(0.0), g), shared, sum);
  }
  return sum;
}

/// Writes the gains of lists in lanes, [lane][rows], with 0 where a list has ended, and returns the lists'
/// ideal DCGs.
template <class Arch, class Discount = log2_discount, class T, class R>
[[nodiscard]] lanes<Arch> group_gains(gain kind, std::span<const double> table, ideal best,
                                      std::size_t cutoff, std::span<const list<T, R>> lists, std::size_t rows,
                                      std::span<T> gains, workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const auto size = [&](std::size_t l) { return l < lists.size() ? lists[l].size() : 0; };
  for (std::size_t l = 0; l < w; ++l) {
    const std::size_t n = size(l);
    if (n > 0)
      fill_gains<Arch>(kind, table, lists[l].relevance, lists[l].weights, gains.subspan(l * rows, n),
                       scratch);
    std::fill_n(gains.data() + l * rows + n, rows - n, std::numeric_limits<T>::lowest());
  }
  const lanes<Arch> ideals = ideal_dcg_of_group<Arch, Discount>(best, cutoff, gains.data(), rows, scratch);
  for (std::size_t l = 0; l < w; ++l) std::fill_n(gains.data() + l * rows + size(l), rows - size(l), T{0});
  return ideals;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
