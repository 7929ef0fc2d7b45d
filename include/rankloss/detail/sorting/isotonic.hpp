// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// One list sorted by x, descending or ascending, such that the quantity that is projected decreases along
/// it.
template <class T>
struct falling_list {
  strided<const T> x;
  strided<const std::uint32_t> order;  ///< which item
  double unit = 1.0;                   ///< a power of two, in which differences do not overflow

  [[nodiscard]] std::size_t size() const noexcept { return x.size(); }
  /// The distance of x between two positions, multiplied by `unit`. The difference is taken before any other
  /// scale is applied, so that it is exact for close numbers.
  [[nodiscard]] double distance(std::size_t i, std::size_t j) const noexcept {
    return std::abs(unit * static_cast<double>(x[i]) - unit * static_cast<double>(x[j]));
  }
};

template <class T>
[[nodiscard]] falling_list<T> sort_falling(const strided<const T>& scores, bool scores_fall,
                                           workspace& scratch) {
  const sorted_list<T> sorted = sort_list<T>(scores, scratch);
  const std::size_t n = scores.size();
  if (scores_fall || n == 0) return {sorted.x, sorted.order};
  return {{sorted.x.data() + (n - 1), n, -1}, {sorted.order.data() + (n - 1), n, -1}};
}

/// Neighbours in a sorted list that share one value in an isotonic regression. A block ends where the next
/// one begins.
struct pooled_block {
  double sum;  ///< the statistic that decides on pooling
  std::uint32_t begin;
};

/// Pool adjacent violators, O(n): a block is merged into the one before it as long as pool(before, block,
/// end) returns true; pool then also updates before.sum to the sum of both. Returns the blocks, followed by
/// one that begins at n.
///
/// Barlow, Bartholomew, Bremner, Brunk: Statistical inference under order restrictions, 1972; Best,
/// Chakravarti: Active set algorithms for isotonic regression, Mathematical Programming 47 (1990).
template <class Pool>
[[nodiscard]] std::span<const pooled_block> pool_adjacent(std::size_t n, double sum_of_one,
                                                          workspace& scratch, Pool pool) {
  const std::span<pooled_block> blocks = scratch.take<pooled_block>(n + 1);
  if (n == 0) {
    blocks[0] = {0.0, 0};
    return blocks.first(1);
  }
  std::size_t count =
      0;  // number of stored blocks; the last block stays in registers, because most items join it
  pooled_block last{sum_of_one, 0};
  for (std::size_t i = 1; i < n; ++i) {
    const pooled_block one{sum_of_one, static_cast<std::uint32_t>(i)};
    if (!pool(last, one, i + 1)) {
      blocks[count++] = last;
      last = one;
      continue;
    }
    while (count > 0 && pool(blocks[count - 1], last, i + 1)) last = blocks[--count];
  }
  blocks[count++] = last;
  blocks[count] = {0.0, static_cast<std::uint32_t>(n)};
  return blocks.first(count + 1);
}

/// Calls body(block, begin, end) for each block.
template <class Body>
void for_blocks(std::span<const pooled_block> blocks, Body body) {
  for (std::size_t b = 0; b + 1 < blocks.size(); ++b)
    body(blocks[b], std::size_t{blocks[b].begin}, std::size_t{blocks[b + 1].begin});
}

/// A pool() that averages: before.sum becomes the mean distance of the block's items from its first one, in
/// units of 1 / scale. together(gap, items) decides by the gap between the means and the number of items
/// whether the two blocks are merged.
template <class T, class Together>
[[nodiscard]] auto pool_means(const falling_list<T>& falling, double scale, Together together) {
  return [falling, scale, together](pooled_block& before, const pooled_block& block, std::size_t end) {
    const auto items = static_cast<double>(end - before.begin);
    const double gap = falling.distance(before.begin, block.begin) * scale + block.sum - before.sum;
    if (!together(gap, items)) return false;
    before.sum += gap * (static_cast<double>(end - block.begin) / items);
    return true;
  };
}

/// softmax of -scale * distance within each block, [n] by position.
template <class Arch, class T>
[[nodiscard]] std::span<const double> block_softmax(const falling_list<T>& falling,
                                                    std::span<const pooled_block> blocks, double scale,
                                                    workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = falling.size();
  const std::span<double> softmax = scratch.take<double>(n + w);
  for_blocks(blocks, [&](const pooled_block&, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) softmax[i] = falling.distance(begin, i) * scale;
  });
  for (std::size_t i = n; i < n + w; ++i) softmax[i] = 0.0;
  for (std::size_t i = 0; i < n; i += w)
    exp_minus(V::load_aligned(softmax.data() + i)).store_aligned(softmax.data() + i);
  for_blocks(blocks, [&](const pooled_block&, std::size_t begin, std::size_t end) {
    double sum = 0.0;
    for (std::size_t i = begin; i < end; ++i) sum += softmax[i];
    for (std::size_t i = begin; i < end; ++i) softmax[i] /= sum;
  });
  return softmax.first(n);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
