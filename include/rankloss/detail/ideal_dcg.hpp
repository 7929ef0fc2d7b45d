// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/argsort.hpp>
#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss::detail {

/// 1 / log2(1 + position) of w positions from `first` (counted from 1) on.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> discounts_from(std::size_t first) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  alignas(64) double step[w];
  for (std::size_t l = 0; l < w; ++l) step[l] = static_cast<double>(l + 1);
  return lanes<Arch>(std::numbers::ln2) / log_positive(lanes<Arch>(static_cast<double>(first)) + lanes<Arch>::load_aligned(step), log_tail_7);
}

/// Ideal DCG of one list at a cutoff (0: none).
template <class Arch, class T>
[[nodiscard]] double ideal_dcg(ideal kind, std::size_t cutoff, std::span<const T> gains, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  using record = keyed<key_of<T>, nothing>;
  const workspace::scope scope(scratch);
  std::span<record> records = scratch.take<record>(gains.size());
  for (std::size_t i = 0; i < gains.size(); ++i) records[i].key = descending_key(gains[i]);
  records = sort_by_key(records, scratch.take<record>(gains.size()), scratch);

  const auto gain = [&](std::size_t i) { return static_cast<double>(value_of<T>(records[i].key)); };
  const std::size_t n = cutoff > 0 ? std::min(cutoff, gains.size()) : gains.size();
  if (kind == ideal::competition_ranks) {
    double sum = 0.0;
    std::size_t rank = 0;
    for (std::size_t i = 0; i < gains.size(); ++i) {
      if (i == 0 || records[i].key != records[i - 1].key) rank = i + 1;
      if (rank > n) break;
      sum += gain(i) / std::log2(1.0 + static_cast<double>(rank));
    }
    return sum;
  }
  V sum(0.0);
  double rest = 0.0;
  std::size_t i = 0;
  for (; i + w <= n; i += w) {
    if (gain(i) == 0.0 && gain(n - 1) == 0.0) return sum_of(sum);  // only zeros are left
    alignas(64) double g[w];
    for (std::size_t l = 0; l < w; ++l) g[l] = gain(i + l);
    sum = xsimd::fma(V::load_aligned(g), discounts_from<Arch>(i + 1), sum);
  }
  for (; i < n; ++i) rest += gain(i) / std::log2(2.0 + static_cast<double>(i));
  return sum_of(sum) + rest;
}

/// Ideal DCGs of lists in lanes. gains: [lane][rows], `lowest` where a list has ended; they are sorted in place of a copy.
template <class Arch, class T>
[[nodiscard]] lanes<Arch> ideal_dcg(ideal kind, std::size_t cutoff, const T* gains, std::size_t rows, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const workspace::scope scope(scratch);
  const std::span<double> sorted = scratch.take<double>(rows * w);
  const std::span<double> discount = scratch.take<double>(rows + w);
  for (std::size_t i = 0; i < rows; i += w) store_row<Arch>(discount.data() + i, discounts_from<Arch>(i + 1));
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t l = 0; l < w; ++l) sorted[i * w + l] = static_cast<double>(gains[l * rows + i]);
  merge_exchange(rows, [&](std::size_t i, std::size_t j) {
    const V a = V::load_aligned(sorted.data() + i * w);
    const V b = V::load_aligned(sorted.data() + j * w);
    xsimd::max(a, b).store_aligned(sorted.data() + i * w);
    xsimd::min(a, b).store_aligned(sorted.data() + j * w);
  });

  const V ended(static_cast<double>(std::numeric_limits<T>::lowest()));
  const std::size_t k = cutoff > 0 ? std::min(cutoff, rows) : rows;
  V sum(0.0);
  V previous(std::numeric_limits<double>::infinity());
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

}  // namespace rankloss::detail
