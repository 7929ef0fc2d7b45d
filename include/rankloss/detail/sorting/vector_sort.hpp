// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

/// A sort of one list of some hundred items in vectors: columns of the lanes by a network, and then the columns with
/// each other, by bitonic merges.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Lane l of the result is lane l ^ Flip of x.
template <std::size_t Flip, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> exchanged(const lanes<Arch>& x) noexcept {
  return [&]<std::size_t... l>(std::index_sequence<l...>) {
    return lanes_of<Arch>(x, x, std::index_sequence<(l ^ Flip)...>{});
  }
  (std::make_index_sequence<lane_count<Arch>>());
}

/// Numbers [rows][lanes], of which those of a lane come before those of the next one: sorts them. The number of rows is
/// a power of two, and at least network_block. The rows from `filled` on hold numbers that none exceeds.
template <class Arch>
class vector_sort {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t block = network_block;

 public:
  vector_sort(double* at, std::size_t rows, std::size_t filled) noexcept
      : at_(at), rows_(rows), filled_(filled) {}

  void run() {
    sort_rows(
        network_rows(filled_), [&](std::size_t i) { return load(i); },
        [&](std::size_t i, const V& row) { row.store_aligned(at_ + i * w); }, order);
    merge_lanes<1>();
  }

 private:
  [[gnu::always_inline]] static void order(V& first, V& second) noexcept {
    const V f = xsimd::min(first, second);
    second = xsimd::max(first, second);
    first = f;
  }
  [[nodiscard]] [[gnu::always_inline]] V load(std::size_t i) const noexcept {
    return V::load_aligned(at_ + i * w);
  }
  /// Which lanes have this bit of their number, as numbers that are not 0.
  template <std::size_t Bit>
  [[nodiscard]] static auto has_bit() noexcept {
    alignas(64) double bits[w];
    for (std::size_t l = 0; l < w; ++l) bits[l] = (l & Bit) != 0 ? 1.0 : 0.0;
    return V::load_aligned(bits) > V(0.5);
  }

  /// Merges the sorted sequences of `Width` lanes with those of the `Width` lanes behind them, and so on.
  template <std::size_t Width>
  void merge_lanes() {
    if constexpr (Width < w) {
      // Each number meets that which is as far from the end of the other sequence as it is from the beginning of its
      // own. What is left on either side first rises and then falls, or the other way round.
      const auto behind = has_bit<Width>();
      for (std::size_t i = 0; i < rows_ / 2; ++i) {
        const std::size_t j = rows_ - 1 - i;
        const V a = load(i), b = load(j), of_b = exchanged<2 * Width - 1, Arch>(b),
                of_a = exchanged<2 * Width - 1, Arch>(a);
        xsimd::select(behind, xsimd::max(a, of_b), xsimd::min(a, of_b)).store_aligned(at_ + i * w);
        xsimd::select(behind, xsimd::max(b, of_a), xsimd::min(b, of_a)).store_aligned(at_ + j * w);
      }
      split_lanes<Width / 2>();
      split_rows();
      merge_lanes<2 * Width>();
    }
  }
  template <std::size_t Distance>
  void split_lanes() {
    if constexpr (Distance > 0) {
      const auto behind = has_bit<Distance>();
      for (std::size_t i = 0; i < rows_; ++i) {
        const V a = load(i), b = exchanged<Distance, Arch>(a);
        xsimd::select(behind, xsimd::max(a, b), xsimd::min(a, b)).store_aligned(at_ + i * w);
      }
      split_lanes<Distance / 2>();
    }
  }
  /// Sorts what is bitonic in each lane.
  void split_rows() {
    std::size_t distance = rows_ / 2;
    // As many steps are left as three fit into, which are taken together.
    for (; std::countr_zero(distance) % 3 != 2; distance /= 2)
      for (std::size_t begin = 0; begin < rows_; begin += 2 * distance)
        for (std::size_t i = begin; i < begin + distance; ++i) {
          V a = load(i), b = load(i + distance);
          order(a, b);
          a.store_aligned(at_ + i * w);
          b.store_aligned(at_ + (i + distance) * w);
        }
    for (; distance > 0; distance /= block) {
      const std::size_t step = distance / (block / 2);
      for (std::size_t begin = 0; begin < rows_; begin += 2 * distance)
        for (std::size_t i = begin; i < begin + step; ++i) {
          V rows[block];
          unrolled<block>([&]<std::size_t k> { rows[k] = load(i + k * step); });
          unrolled<block / 2>([&]<std::size_t k> { order(rows[k], rows[k + 4]); });
          unrolled<block / 2>(
              [&]<std::size_t k> { order(rows[k / 2 * 4 + k % 2], rows[k / 2 * 4 + k % 2 + 2]); });
          unrolled<block / 2>([&]<std::size_t k> { order(rows[2 * k], rows[2 * k + 1]); });
          unrolled<block>([&]<std::size_t k> { rows[k].store_aligned(at_ + (i + k * step) * w); });
        }
    }
  }

  double* at_;
  std::size_t rows_, filled_;
};

template <class Arch>
[[nodiscard]] constexpr std::size_t rows_of_vectors(std::size_t n) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  return std::max(std::bit_ceil((n + w - 1) / w), network_block);
}

/// Sorts records with keys of 32 bits stably by rising key, up to 2^20 of them; returns `buffer`. Key and index share
/// the mantissa of a double in [1, 2), as in sort_lanes.
template <class Arch, class Record>
std::span<Record> sort_in_vectors(std::span<const Record> records, std::span<Record> buffer,
                                  workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  constexpr unsigned index_bits = 20;
  constexpr std::uint64_t one = 0x3ff0000000000000u, index_mask = (std::uint64_t{1} << index_bits) - 1;
  const workspace::scope scope(scratch);
  const std::size_t n = records.size();
  const std::size_t filled = (n + w - 1) / w;
  const std::size_t rows = rows_of_vectors<Arch>(n);
  const std::span<double> keys = scratch.take<double>(rows * w);
  for (std::size_t i = 0; i < n; ++i)
    keys[i] = std::bit_cast<double>(one | std::uint64_t{records[i].key} << index_bits | i);
  std::fill(keys.begin() + static_cast<std::ptrdiff_t>(n), keys.end(), 2.0);
  vector_sort<Arch>(keys.data(), rows, filled).run();
  std::size_t to = 0;
  for (std::size_t l = 0; to < n; ++l)
    for (std::size_t i = 0; i < rows && to < n; ++i)
      buffer[to++] =
          records[static_cast<std::size_t>(std::bit_cast<std::uint64_t>(keys[i * w + l]) & index_mask)];
  return buffer;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
