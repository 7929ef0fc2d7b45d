// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/cut_at.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// 1 / log2(1 + position) of w positions from `first` (counted from 1) on.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> discounts_from(std::size_t first) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  alignas(64) double step[w];
  for (std::size_t l = 0; l < w; ++l) step[l] = static_cast<double>(l + 1);
  return lanes<Arch>(std::numbers::ln2) /
         log_positive(lanes<Arch>(static_cast<double>(first)) + lanes<Arch>::load_aligned(step), log_tail_7);
}

/// Calls run(gain, begin, end) for each run of equal gains in descending order, at positions [begin, end)
/// counted from 0. Gains whose keys differ in a few bits only, as those of a few grades do, are counted
/// instead of sorted.
template <class T, class Run>
void runs_of_equals(std::span<const T> gains, workspace& scratch, Run run) {
  using key = key_of<T>;
  const std::size_t n = gains.size();
  if (n == 0) return;
  require_countable(n);
  const key first = descending_key(gains[0]);
  key differing = 0;
  for (std::size_t i = 0; i < n; ++i) differing |= static_cast<key>(descending_key(gains[i]) ^ first);
  const unsigned low = differing == 0 ? 0 : static_cast<unsigned>(std::countr_zero(differing));
  const unsigned differing_bits = static_cast<unsigned>(std::bit_width(differing)) - low;
  const workspace::scope scope(scratch);
  if (differing_bits <=
      std::min(static_cast<unsigned>(std::bit_width(n)), 16u)) {  // at most about as many counts as items
    // Even and odd items are counted in separate tables, since increments of one count wait for each other.
    const std::size_t buckets = std::size_t{1} << differing_bits;
    const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(2 * buckets);
    std::fill(counts.begin(), counts.end(), 0u);
    for (std::size_t i = 0; i < n; ++i)
      ++counts[i % 2 * buckets + (static_cast<std::size_t>(descending_key(gains[i]) >> low) & (buckets - 1))];
    const key common = first & static_cast<key>(~(static_cast<key>(buckets - 1) << low));
    std::size_t begin = 0;
    for (std::size_t b = 0; b < buckets; ++b) {
      const std::size_t count = std::size_t{counts[b]} + counts[buckets + b];
      if (count > 0)
        run(static_cast<double>(value_of<T>(common | static_cast<key>(static_cast<key>(b) << low))), begin,
            begin + count);
      begin += count;
    }
    return;
  }
  using record = keyed<key, nothing>;
  std::span<record> records = scratch.take<record>(n);
  for (std::size_t i = 0; i < n; ++i) records[i].key = descending_key(gains[i]);
  records = sort_by_key(records, scratch.take<record>(n), scratch);
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin + 1;
    while (end < n && records[end].key == records[begin].key) ++end;
    run(static_cast<double>(value_of<T>(records[begin].key)), begin, end);
    begin = end;
  }
}

/// Discounts of positions, computed one vector at a time.
template <class Arch>
class discount_row {
 public:
  /// Sum over positions [begin, end), counted from 0. Successive calls go from the first position to the
  /// last.
  [[nodiscard]] double sum(std::size_t begin, std::size_t end) noexcept {
    double total = 0.0;
    while (begin < end && begin % w != 0) total += one(begin++);
    lanes<Arch> whole(0.0);
    for (; begin + w <= end; begin += w) whole += discounts_from<Arch>(begin + 1);
    for (total += sum_of(whole); begin < end; ++begin) total += one(begin);
    return total;
  }

 private:
  static constexpr std::size_t w = lane_count<Arch>;
  double one(std::size_t at) noexcept {
    if (at / w != held_) {
      held_ = at / w;
      discounts_from<Arch>(held_ * w + 1).store_aligned(row_);
    }
    return row_[at % w];
  }

  alignas(64) double row_[w];
  std::size_t held_ = static_cast<std::size_t>(-1);
};

/// Ideal DCG of one list at a cutoff; 0 means no cutoff.
template <class Arch, class T>
[[nodiscard]] double ideal_dcg(ideal kind, std::size_t cutoff, std::span<const T> gains, workspace& scratch) {
  const std::size_t last = cut_at(cutoff, gains.size());
  discount_row<Arch> discounts;
  double sum = 0.0;
  runs_of_equals(gains, scratch, [&](double gain, std::size_t begin, std::size_t end) {
    if (gain == 0.0 || begin >= last) return;
    if (kind == ideal::competition_ranks)
      sum += gain * static_cast<double>(end - begin) * discounts.sum(begin, begin + 1);
    else
      sum += gain * discounts.sum(begin, std::min(end, last));
  });
  return sum;
}

/// Ideal DCGs of lists in lanes. gains: [lane][rows], the lowest number of T where a list has ended; a copy
/// of them is sorted.
template <class Arch, class T>
[[nodiscard]] lanes<Arch> ideal_dcg(ideal kind, std::size_t cutoff, const T* gains, std::size_t rows,
                                    workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const workspace::scope scope(scratch);
  const std::size_t all_rows = network_rows(rows);
  const std::span<double> sorted = scratch.take<double>(all_rows * w);
  const std::span<double> discount = scratch.take<double>(rows + w);
  for (std::size_t i = 0; i < rows; i += w) store_row<Arch>(discount.data() + i, discounts_from<Arch>(i + 1));
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
  const std::size_t k = cut_at(cutoff, rows);
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
template <class Arch, class T, class R>
[[nodiscard]] lanes<Arch> group_gains(gain kind, std::span<const double> table, ideal best,
                                      std::size_t cutoff, std::span<const list<T, R>> lists, std::size_t rows,
                                      std::span<T> gains, workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const auto size = [&](std::size_t l) { return l < lists.size() ? lists[l].size() : 0; };
  for (std::size_t l = 0; l < w; ++l) {
    const std::size_t n = size(l);
    if (n > 0)
      fill_gains<Arch>(kind, table, lists[l].relevance, lists[l].weights, gains.subspan(l * rows, n));
    std::fill_n(gains.data() + l * rows + n, rows - n, std::numeric_limits<T>::lowest());
  }
  const lanes<Arch> ideals = ideal_dcg<Arch>(best, cutoff, gains.data(), rows, scratch);
  for (std::size_t l = 0; l < w; ++l) std::fill_n(gains.data() + l * rows + size(l), rows - size(l), T{0});
  return ideals;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
