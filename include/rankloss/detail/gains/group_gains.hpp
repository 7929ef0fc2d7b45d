// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/few_values.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sums the ideal DCGs of lists in lanes from their gains in descending order, `gain(i)` for i = 0, 1, ..., the lowest
/// number of T where a list has ended.
template <class Arch, class Discount, class T, class Gain>
[[nodiscard]] lanes<Arch> sum_of_sorted_gains(ideal kind, std::size_t cutoff, std::size_t rows,
                                              const Gain& gain, workspace& scratch) {
  using V = lanes<Arch>;
  const workspace::scope scope(scratch);
  const std::span<double> discount = scratch.take<double>(rows + lane_count<Arch>);
  fill_discounts<Arch, Discount>(0, rows, discount.data());
  const V ended(static_cast<double>(std::numeric_limits<T>::lowest()));
  const std::size_t k = counted_by(cutoff, rows);
  V sum(0.0);
  V previous(ended);
  V shared(0.0);  // discount of the best position among equals; 0 beyond the cutoff
  for (std::size_t i = 0; i < (kind == ideal::sorted ? k : rows); ++i) {
    const V g = gain(i);
    const V own(i < k ? discount[i] : 0.0);
    shared = kind == ideal::sorted ? own : xsimd::select(g == previous, shared, own);
    previous = g;
    sum = xsimd::fma(xsimd::select(g == ended, V(0.0), g), shared, sum);
  }
  return sum;
}

/// The same from gains in any order, which a network sorts.
template <class Arch, class Discount, class T, class Gain>
[[nodiscard]] lanes<Arch> sum_of_gains(ideal kind, std::size_t cutoff, std::size_t rows, const Gain& gain,
                                       workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const workspace::scope scope(scratch);
  const std::size_t all_rows = network_rows(rows);
  const std::span<double> sorted = scratch.take<double>(all_rows * w);
  const auto row = [&](std::size_t i) { return V::load_aligned(sorted.data() + i * w); };
  const auto put = [&](std::size_t i, const V& gains) { gains.store_aligned(sorted.data() + i * w); };
  for (std::size_t i = 0; i < rows; ++i) put(i, gain(i));
  for (std::size_t i = rows; i < all_rows; ++i) put(i, V(std::numeric_limits<double>::lowest()));
  sort_rows(all_rows, row, put, [](V& greater, V& less) {
    const V g = xsimd::max(greater, less);
    less = xsimd::min(greater, less);
    greater = g;
  });
  return sum_of_sorted_gains<Arch, Discount, T>(kind, cutoff, rows, row, scratch);
}

/// Ideal DCGs of lists in lanes. gains: [lane][rows], the lowest number of T where a list has ended.
template <class Arch, class Discount = log2_discount, class T>
[[nodiscard]] lanes<Arch> ideal_dcg_of_group(ideal kind, std::size_t cutoff, const T* gains, std::size_t rows,
                                             workspace& scratch) {
  using V = lanes<Arch>;
  return sum_of_gains<Arch, Discount, T>(
      kind, cutoff, rows,
      [&](std::size_t i) {
        alignas(64) double row[lane_count<Arch>];
        for (std::size_t l = 0; l < lane_count<Arch>; ++l) row[l] = static_cast<double>(gains[l * rows + i]);
        return V::load_aligned(row);
      },
      scratch);
}

/// That of one list, with the bits that it has in a group.
template <class Arch, class Discount = log2_discount, class T>
[[nodiscard]] double ideal_dcg_as_in_group(ideal kind, std::size_t cutoff, std::span<const T> gains,
                                           workspace& scratch) {
  using V = lanes<Arch>;
  const workspace::scope scope(scratch);
  const std::size_t n = gains.size();
  const auto gain = [](std::span<const T> numbers) {
    // Of vectors that hold one number each a compiler may form products outside of a sum.
    return [numbers](std::size_t i) { return opaque(V(static_cast<double>(numbers[i]))); };
  };
  if (n <= tuning::longest_short_sort)
    return sum_of_gains<Arch, Discount, T>(kind, cutoff, n, gain(gains), scratch).get(0);
  const std::span<T> sorted = scratch.take<T>(n);
  if (const few_values<T> few(gains); few.apply()) {
    auto at = sorted.begin();
    for (std::size_t k = 0; k < few.size(); ++k) at = std::fill_n(at, few.count(k), few.value(k));
  } else {
    using record = keyed<key_of<T>, nothing>;
    const auto records = records_by_key<record>(n, scratch, [&](std::size_t i) {
      return record{descending_key(gains[i]), {}};
    });
    for (std::size_t i = 0; i < n; ++i) sorted[i] = value_of<T>(records[i].key);
  }
  return sum_of_sorted_gains<Arch, Discount, T>(kind, cutoff, n, gain(sorted), scratch).get(0);
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
