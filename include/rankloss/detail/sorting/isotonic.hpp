// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
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

/// The items of a block, positions [begin, end), by
///
///     each(body)            body(i) for all positions
///     each_by_order(body)   the same for a body that writes where an order of the items says
///     sum(of)               the sum of of(i)
struct block_items : item_range {
  template <class Body>
  [[gnu::always_inline]] void each(const Body& body) const {
    for (std::size_t i = begin; i < end; ++i) body(i);
  }
  template <class Body>
  [[gnu::always_inline]] void each_by_order(const Body& body) const {
    for (std::size_t i = begin; i < end; ++i) body(hidden(i));
  }
  template <class Of>
  [[nodiscard]] [[gnu::always_inline]] double sum(const Of& of) const {
    double total = 0.0;
    for (std::size_t i = begin; i < end; ++i) total += of(i);
    return total;
  }

 protected:
  /// The compiler does not see that positions follow each other: the scatter instructions that it would choose take twice
  /// the time.
  [[nodiscard]] [[gnu::always_inline]] static std::size_t hidden(std::size_t i) noexcept {
#if defined(__GNUC__)
    __asm__("" : "+r"(i));
#endif
    return i;
  }
};

/// Those of a long block, which is shared by all workers. Its sum is that of its pieces, whoever forms them.
struct shared_block_items : block_items {
  workspace& scratch;

  template <class Body>
  void each(const Body& body) const {
    for_each_item(scratch, size(), [body, first = begin](std::size_t i) { body(first + i); });
  }
  template <class Body>
  void each_by_order(const Body& body) const {
    for_each_item(scratch, size(), [body, first = begin](std::size_t i) { body(hidden(first + i)); });
  }
  template <class Of>
  [[nodiscard]] double sum(const Of& of) const {
    const workspace::scope scope(scratch);
    const even_pieces pieces(size(), tuning::piece_items);
    const std::span<double> sums = scratch.take<double>(pieces.count());
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      const block_items own{{begin + pieces[p].begin, begin + pieces[p].end}};
      sums[p] = own.sum(of);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }
};

/// Pool adjacent violators, O(n): a block is merged into the one before it as long as pool(before, block,
/// end) returns true; pool then also updates before.sum to the sum of both.
///
/// Pieces of the list are pooled by themselves, by all workers. Then they are joined in their order: a piece loses its first
/// blocks to the ones before them as long as these are pooled, and what it keeps is as it was.
///
/// Barlow, Bartholomew, Bremner, Brunk: Statistical inference under order restrictions, 1972; Best,
/// Chakravarti: Active set algorithms for isotonic regression, Mathematical Programming 47 (1990).
class pooled_blocks {
 public:
  pooled_blocks() = default;
  template <class Pool>
  pooled_blocks(std::size_t n, double sum_of_one, workspace& scratch, const Pool& pool,
                std::size_t piece_items = tuning::piece_items)
      : longest_(piece_items),
        blocks_(scratch.take<pooled_block>(n)),
        pieces_(scratch.take<piece>(even_pieces(n, piece_items).count())) {
    const even_pieces pieces(n, piece_items);
    run_pieces(scratch, pieces_.size(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = pieces[p];
      pieces_[p] = {begin, begin + pool_piece(begin, end, sum_of_one, pool), end};
    });
    for (std::size_t p = 1, top = 0; p < pieces_.size(); ++p) join(p, top, pool);
    // A block that goes on into pieces that have lost all of theirs ends behind them.
    for (std::size_t p = pieces_.size() - 1; p-- > 0;) {
      const piece& next = pieces_[p + 1];
      pieces_[p].end = next.first < next.last ? blocks_[next.first].begin : next.end;
    }
  }

  /// Calls body(block, items) for each block, with block_items or shared_block_items.
  template <class Body>
  void for_each(workspace& scratch, const Body& body) const {
    run_pieces(scratch, pieces_.size(), [&](workspace&, std::size_t p) {
      const Body own_body = body;  // which no store can change
      const piece own = pieces_[p];
      const pooled_block* const blocks = blocks_.data();
      const std::size_t longest = longest_;
      for (std::size_t b = own.first; b < own.last; ++b) {
        const std::size_t end = b + 1 < own.last ? std::size_t{blocks[b + 1].begin} : own.end;
        const block_items items{{blocks[b].begin, end}};
        if (items.size() <= longest) own_body(blocks[b], items);
      }
    });
    // A block that is longer than a piece is the last one of the piece that it begins in.
    for (const piece& own : pieces_) {
      if (own.first == own.last) continue;
      const pooled_block& last = blocks_[own.last - 1];
      const shared_block_items items{{{last.begin, own.end}}, scratch};
      if (items.size() > longest_) body(last, items);
    }
  }

 private:
  /// The blocks that begin in a piece of the list: [first, last). The last one ends at `end`.
  struct piece {
    std::size_t first, last, end;
  };

  /// Pools positions [begin, end); the blocks are stored from `begin` on. Returns how many there are.
  template <class Pool>
  [[nodiscard]] std::size_t pool_piece(std::size_t begin, std::size_t end, double sum_of_one,
                                       const Pool& how) const {
    if (begin == end) return 0;
    const Pool pool = how;  // which no store can change
    pooled_block* const blocks = blocks_.data() + begin;
    std::size_t count = 0;
    // The last block stays in registers, because most items join it.
    pooled_block last{sum_of_one, static_cast<std::uint32_t>(begin)};
    for (std::size_t i = begin + 1; i < end; ++i) {
      const pooled_block one{sum_of_one, static_cast<std::uint32_t>(i)};
      if (!pool(last, one, i + 1)) {
        blocks[count++] = last;
        last = one;
        continue;
      }
      while (count > 0 && pool(blocks[count - 1], last, i + 1)) last = blocks[--count];
    }
    blocks[count++] = last;
    return count;
  }

  /// Joins a piece to those before it, of which `top` is the last one with blocks; then `top` is that of them all. The first
  /// piece always keeps one.
  template <class Pool>
  void join(std::size_t p, std::size_t& top, const Pool& pool) {
    piece& own = pieces_[p];
    for (; own.first < own.last; ++own.first) {
      const std::size_t end = own.first + 1 < own.last ? blocks_[own.first + 1].begin : own.end;
      if (!pool(blocks_[pieces_[top].last - 1], blocks_[own.first], end)) {
        top = p;
        return;
      }
      for (;;) {
        piece& of_top = pieces_[top];
        std::size_t under = top, place = of_top.last - 2;
        if (of_top.first + 1 == of_top.last) {
          if (top == 0) break;
          do --under;
          while (pieces_[under].first == pieces_[under].last);
          place = pieces_[under].last - 1;
        }
        if (!pool(blocks_[place], blocks_[of_top.last - 1], end)) break;
        --of_top.last;
        top = under;
      }
    }
  }

  std::size_t longest_ = 0;
  std::span<pooled_block> blocks_;
  std::span<piece> pieces_;
};

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
                                                    const pooled_blocks& blocks, double scale,
                                                    workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = falling.size();
  const std::span<double> softmax = scratch.take<double>(n + w);
  blocks.for_each(scratch, [=](const pooled_block&, const auto& items) {
    items.each([=, first = items.begin](std::size_t i) { softmax[i] = falling.distance(first, i) * scale; });
  });
  for (std::size_t i = n; i < n + w; ++i) softmax[i] = 0.0;
  const even_pieces pieces(n, tuning::piece_items);
  static_assert(tuning::piece_items % w == 0);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    double* const rows = softmax.data();
    for (std::size_t i = pieces[p].begin; i < pieces[p].end; i += w)
      exp_minus(V::load_aligned(rows + i)).store_aligned(rows + i);
  });
  blocks.for_each(scratch, [=](const pooled_block&, const auto& items) {
    const double sum = items.sum([=](std::size_t i) { return softmax[i]; });
    items.each([=](std::size_t i) { softmax[i] /= sum; });
  });
  return softmax.first(n);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
