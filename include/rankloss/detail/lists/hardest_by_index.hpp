// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/output_sink.hpp>
#include <rankloss/detail/pairs/triplet_hinges.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The hardest negatives of the rows and of the columns of a matrix whose row i matches column i: the greatest
/// score of each line, the match and scores of -infinity apart, how many items have it, and the first of them.
///
/// One pass over the matrix serves both directions. A task takes a block of lines that lie in one piece, and of
/// those that lie across them what the block has of them, side by side in lanes: the greatest score so far, the
/// number of items that have it, and the first. How the matrix is cut into blocks depends on its size alone.
template <class T, class R>
class hardest_by_index {
 public:
  struct line_top {
    T score{};
    std::uint32_t count = 0;  // 0: no negatives
    std::uint32_t first = 0;
  };

  /// @param done  done(a) is called once line a, of those in one piece, has been read by its task
  template <class Done>
  hardest_by_index(const similarity_batch<T, R>& batch, directions over, context& ctx, const Done& done)
      : data_(batch.similarity.data()), by_columns_(lies_by_columns(batch)) {
    const pair_strides strides = similarity_strides(batch);
    apart_ = by_columns_ ? strides.column : strides.row;
    step_ = by_columns_ ? strides.row : strides.column;
    along_ = by_columns_ ? batch.columns : batch.rows;
    across_ = by_columns_ ? batch.rows : batch.columns;
    lines_ =
        std::min(std::max(tuning::least_block_lines, (along_ + most_blocks - 1) / most_blocks), most_lines);
    blocks_ = (along_ + lines_ - 1) / lines_;
    pitch_ = (across_ + V::size - 1) / V::size * V::size;
    const auto wanted = [over](bool columns) {
      return over != (columns ? directions::rows : directions::columns);
    };
    const bool along = wanted(by_columns_), across = wanted(!by_columns_);
    tops_ = ctx.scratch().template take<line_top>(along ? along_ : 0);
    for (auto* part : {&scores_, &counts_, &firsts_})
      *part = ctx.scratch().template take<T>(across ? blocks_ * pitch_ : 0);
    ctx.run(blocks_, [&](std::size_t, std::size_t block) {
      if (along && across)
        take_block<true, true>(block);
      else if (along)
        take_block<true, false>(block);
      else
        take_block<false, true>(block);
      for (std::size_t a = block * lines_; a < end_of(block); ++a) done(a);
    });
  }

  /// Whether columns are the lines that lie in one piece.
  [[nodiscard]] static bool lies_by_columns(const similarity_batch<T, R>& batch) {
    const pair_strides strides = similarity_strides(batch);
    return strides.row < strides.column;
  }

  [[nodiscard]] line_top operator()(bool columns, std::size_t l) const noexcept {
    if (columns == by_columns_) return tops_[l];
    line_top all;
    for (std::size_t block = 0; block < blocks_; ++block) {
      const std::size_t at = block * pitch_ + l;
      if (is_minus_infinity(scores_[at])) continue;
      const auto count = static_cast<std::uint32_t>(counts_[at]);
      if (all.count == 0 || scores_[at] > all.score)
        all = {scores_[at], count,
               static_cast<std::uint32_t>(block * lines_ + static_cast<std::size_t>(firsts_[at]))};
      else if (scores_[at] == all.score)
        all.count += count;
    }
    return all;
  }

 private:
  using V = xsimd::batch<T, xsimd::default_arch>;
  static constexpr std::size_t chunk = tuning::match_chunk;
  static constexpr std::size_t most_blocks = 64;                   // a bound on scratch
  static constexpr std::size_t most_lines = std::size_t{1} << 20;  // whose numbers are exact in float lanes
  static_assert(chunk % V::size == 0);
  using piece = std::array<T, chunk>;

  [[nodiscard]] std::size_t end_of(std::size_t block) const noexcept {
    return std::min(along_, (block + 1) * lines_);
  }

  /// The items from `begin` on of line a, without its match, up to a full row of lanes: in place, or in `own`.
  [[nodiscard]] const T* read(std::size_t a, std::size_t begin, std::size_t count,
                              piece& own) const noexcept {
    const T* const from = data_ + a * apart_ + begin * step_;
    const bool matched = begin <= a && a < begin + count;
    if (step_ == 1 && !matched && count % V::size == 0) return from;
    for (std::size_t k = 0; k < count; ++k) own[k] = from[k * step_];
    const T least = static_cast<T>(-hidden_infinity());
    std::fill(own.begin() + static_cast<std::ptrdiff_t>(count), own.end(), least);
    if (matched) own[a - begin] = least;
    return own.data();
  }

  template <bool along, bool across>
  void take_block(std::size_t block) noexcept {
    alignas(64) piece own;
    const std::size_t first = block * lines_, end = end_of(block), at = across ? block * pitch_ : 0;
    if constexpr (along)
      std::fill(tops_.begin() + static_cast<std::ptrdiff_t>(first),
                tops_.begin() + static_cast<std::ptrdiff_t>(end), line_top{});
    if constexpr (across) {
      std::fill_n(scores_.begin() + static_cast<std::ptrdiff_t>(at), pitch_,
                  static_cast<T>(-hidden_infinity()));
      std::fill_n(counts_.begin() + static_cast<std::ptrdiff_t>(at), pitch_, T{0});
      std::fill_n(firsts_.begin() + static_cast<std::ptrdiff_t>(at), pitch_, T{0});
    }
    for (std::size_t begin = 0; begin < across_; begin += chunk) {
      const std::size_t count = std::min(chunk, across_ - begin);
      for (std::size_t a = first; a < end; ++a) {
        const T* const items = read(a, begin, count, own);
        if constexpr (along) take_along(tops_[a], items, count, begin);
        if constexpr (across) take_across(items, count, at + begin, static_cast<T>(a - first));
      }
    }
  }

  static void take_along(line_top& line, const T* items, std::size_t count, std::size_t begin) noexcept {
    const T most = largest_of<xsimd::default_arch>(items, count);
    if (is_minus_infinity(most) || (line.count > 0 && most < line.score)) return;
    if (line.count == 0 || most > line.score) line = {most, 0, 0};
    for (std::size_t k = 0; k < count; ++k)
      if (items[k] == most && line.count++ == 0) line.first = static_cast<std::uint32_t>(begin + k);
  }

  /// @param at  where the parts of the lines of the first item are
  void take_across(const T* items, std::size_t count, std::size_t at, T line) const noexcept {
    T *const scores = &scores_[at], *const counts = &counts_[at], *const firsts = &firsts_[at];
    const V one(T{1}), own(line);
    for (std::size_t k = 0; k < count; k += V::size) {
      const V s = V::load_unaligned(items + k), top = V::load_unaligned(scores + k);
      const V counted = V::load_unaligned(counts + k);
      const auto above = s > top;
      xsimd::select(above, s, top).store_unaligned(scores + k);
      xsimd::select(above, own, V::load_unaligned(firsts + k)).store_unaligned(firsts + k);
      xsimd::select(above, one, xsimd::select(s == top, counted + one, counted)).store_unaligned(counts + k);
    }
  }

  const T* data_;
  bool by_columns_;
  std::size_t along_, across_;          // lines in one piece, and those that lie across them
  std::size_t apart_, step_;            // elements from line to line, and from item to item of one in a piece
  std::size_t lines_, blocks_, pitch_;  // lines of a block; blocks; a block's part of what lies across
  std::span<line_top> tops_;            // [along]
  std::span<T> scores_, counts_, firsts_;  // [blocks, pitch]; lines of a block are counted from its first one
};

/// The hinges of each line of a matrix against its hardest negative, where row i matches column i and every pair
/// takes part. To the bit what run_directions makes of triplet_hinges::against_hardest, which looks at each item of
/// a list several times and knows nothing of the others; here only a line's two or more slopes are written one
/// by one.
template <class T, class R>
double run_hardest_by_index(const triplet_hinges& hinges, const similarity_batch<T, R>& batch,
                            directions over, const outputs& out, context& ctx, double factor) {
  using source_type = matrix_source<T, R>;
  using search = hardest_by_index<T, R>;
  constexpr std::size_t lines = tuning::hinge_lines;
  const bool both = over == directions::both;
  const double direction = batch.reduction == reduction::sum || !both ? factor : 0.5 * factor;
  const workspace::scope scope(ctx.scratch());
  outputs added = out;
  added.update = update::add;
  const bool clears = !out.gradient.empty() && out.update == update::overwrite;
  const source_type in_pieces(batch, search::lies_by_columns(batch), list_relevance::matches);
  const output_sink<source_type> cleared(in_pieces, out.gradient, out);
  const search hardest(batch, over, ctx, [&](std::size_t l) {
    if (clears) cleared.clear(l);
  });
  const std::span<double> values = ctx.scratch().take<double>(batch.rows + batch.columns);
  std::fill(values.begin(), values.end(), 0.0);
  double sum = 0.0;
  for (const bool columns : {false, true}) {
    if (over == (columns ? directions::rows : directions::columns)) continue;
    const source_type source(batch, columns, list_relevance::matches);
    const std::size_t matched = std::min(batch.rows, batch.columns);
    const auto weight = [&](std::size_t l) {
      return batch.reduction == reduction::mean_of_relevant && l >= matched ? 0.0 : source.list_weight(l);
    };
    const weighted_mean mean(source.lists(), weight, batch.reduction, direction);
    const std::span<double> own = columns ? values.last(batch.columns) : values.first(batch.rows);
    const output_sink<source_type> sink(source, added.gradient, added);
    const auto take = [&](std::size_t l) {
      const auto top = hardest(columns, l);
      if (top.count == 0) return;
      const strided<const T> scores = source.scores(l);
      const double h = hinges.hinge(top.score, scores[l]);
      if (!(h > 0.0)) return;
      own[l] = h;
      if (out.gradient.empty()) return;
      const double share = mean.share(weight(l));
      sink.commit_item(l, l, T{-1}, share);
      const T slope = static_cast<T>(1.0 / static_cast<double>(top.count));
      sink.commit_item(l, top.first, slope, share);
      for (std::size_t i = top.first + 1, left = top.count - 1; left > 0; ++i) {
        if (i == l || scores[i] != top.score) continue;
        sink.commit_item(l, i, slope, share);
        --left;
      }
    };
    ctx.run((matched + lines - 1) / lines, [&](std::size_t, std::size_t task) {
      for (std::size_t l = task * lines; l < std::min(matched, (task + 1) * lines); ++l) take(l);
    });
    sum = held_sum(sum, mean(source.lists(), weight, [&](std::size_t l) { return own[l]; }));
  }
  std::copy_n(values.begin(), out.per_list.size(), out.per_list.begin());
  return sum;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
