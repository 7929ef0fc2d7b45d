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
/// Lines that lie in one piece are read one by one. Those that lie across are read side by side, a chunk of them
/// from the first line to the last, with the greatest score so far of each. A new one is rare, so that a row of
/// lanes costs a comparison, and what follows from it is done number by number.
template <class T, class R>
class hardest_by_index {
 public:
  struct line_top {
    T score{};
    std::uint32_t count = 0;  // 0: no negatives
    std::uint32_t first = 0;
  };

  hardest_by_index(const similarity_batch<T, R>& batch, directions over, context& ctx)
      : data_(batch.similarity.data()) {
    const pair_strides strides = similarity_strides(batch);
    const bool by_columns = strides.row < strides.column;
    along_ = ctx.scratch().take<line_top>(by_columns ? batch.columns : batch.rows);
    across_ = ctx.scratch().take<line_top>(by_columns ? batch.rows : batch.columns);
    apart_ = by_columns ? strides.column : strides.row;
    step_ = by_columns ? strides.row : strides.column;
    rows_ = by_columns ? across_ : along_;
    columns_ = by_columns ? along_ : across_;
    std::fill(along_.begin(), along_.end(), line_top{});
    std::fill(across_.begin(), across_.end(), line_top{});
    const auto wanted = [over](bool columns) {
      return over != (columns ? directions::rows : directions::columns);
    };
    const std::size_t along_tasks = wanted(by_columns) ? (along_.size() + lines - 1) / lines : 0;
    const std::size_t across_tasks = wanted(!by_columns) ? (across_.size() + chunk - 1) / chunk : 0;
    ctx.run(along_tasks + across_tasks, [&](std::size_t, std::size_t task) {
      if (task >= along_tasks) return take_across((task - along_tasks) * chunk);
      const std::size_t end = std::min(along_.size(), (task + 1) * lines);
      for (std::size_t a = task * lines; a < end; ++a) take_along(a);
    });
  }

  [[nodiscard]] std::span<const line_top> rows() const noexcept { return rows_; }
  [[nodiscard]] std::span<const line_top> columns() const noexcept { return columns_; }

 private:
  using V = xsimd::batch<T, xsimd::default_arch>;
  static constexpr std::size_t chunk = tuning::match_chunk, lines = 16;
  static_assert(chunk % V::size == 0);
  using piece = std::array<T, chunk>;

  static void take(line_top& line, const T& s, std::size_t index) noexcept {
    if (is_minus_infinity(s)) return;
    if (line.count == 0 || s > line.score)
      line = {s, 1, static_cast<std::uint32_t>(index)};
    else if (s == line.score)
      ++line.count;
  }

  /// The items from `begin` on of line a, without its match; returns their number.
  std::size_t read(std::size_t a, std::size_t begin, piece& items) const noexcept {
    const std::size_t count = std::min(chunk, across_.size() - begin);
    const T* const from = data_ + a * apart_ + begin * step_;
    if (step_ == 1)
      std::copy_n(from, count, items.begin());
    else
      for (std::size_t k = 0; k < count; ++k) items[k] = from[k * step_];
    if (begin <= a && a < begin + count) items[a - begin] = static_cast<T>(-hidden_infinity());
    return count;
  }

  void take_along(std::size_t a) noexcept {
    alignas(64) piece items;
    line_top line;
    for (std::size_t begin = 0; begin < across_.size(); begin += chunk) {
      const std::size_t count = read(a, begin, items);
      const T most = largest_of<xsimd::default_arch>(items.data(), count);
      if (line.count > 0 && most < line.score) continue;
      for (std::size_t k = 0; k < count; ++k)
        if (items[k] == most) take(line, most, begin + k);
    }
    along_[a] = line;
  }

  void take_across(std::size_t begin) noexcept {
    alignas(64) piece items, tops;
    tops.fill(static_cast<T>(-hidden_infinity()));
    items = tops;
    for (std::size_t a = 0; a < along_.size(); ++a) {
      const std::size_t count = read(a, begin, items);
      for (std::size_t first = 0; first < count; first += V::size) {
        if (!xsimd::any(V::load_aligned(items.data() + first) >= V::load_aligned(tops.data() + first)))
          continue;
        for (std::size_t k = first; k < std::min(first + V::size, count); ++k) {
          line_top& line = across_[begin + k];
          take(line, items[k], a);
          if (line.count > 0) tops[k] = line.score;
        }
      }
    }
  }

  const T* data_;
  std::span<line_top> along_, across_;  // lines in one piece, and those that lie across them
  std::span<line_top> rows_, columns_;
  std::size_t apart_, step_;
};

/// The hinges of each line of a matrix against its hardest negative, where row i matches column i and every pair
/// takes part. To the bit what run_directions makes of triplet_hinges::against_hardest, which looks at each item of
/// a list several times and knows nothing of the others; here only a line's two or more slopes are written one
/// by one.
template <class T, class R>
double run_hardest_by_index(const triplet_hinges& hinges, const similarity_batch<T, R>& batch,
                            directions over, const outputs& out, context& ctx, double factor) {
  const bool both = over == directions::both;
  const double direction = batch.reduction == reduction::sum || !both ? factor : 0.5 * factor;
  const workspace::scope scope(ctx.scratch());
  const hardest_by_index<T, R> hardest(batch, over, ctx);
  const std::span<double> values = ctx.scratch().take<double>(batch.rows + batch.columns);
  std::fill(values.begin(), values.end(), 0.0);
  outputs added = out;
  added.update = update::add;
  if (!out.gradient.empty() && out.update == update::overwrite) {
    const pair_strides strides = output_strides(batch, out.gradient);
    const matrix_source<T, R> lines(batch, strides.row < strides.column, list_relevance::matches);
    const output_sink<matrix_source<T, R>> sink(lines, out.gradient, out);
    ctx.run(lines.lists(), [&](std::size_t, std::size_t l) { sink.clear(l); });
  }
  double sum = 0.0;
  for (const bool columns : {false, true}) {
    if (over == (columns ? directions::rows : directions::columns)) continue;
    const matrix_source<T, R> source(batch, columns, list_relevance::matches);
    const auto tops = columns ? hardest.columns() : hardest.rows();
    const auto has_match = [&](std::size_t l) { return l < (columns ? batch.rows : batch.columns); };
    const auto weight = [&](std::size_t l) {
      return batch.reduction == reduction::mean_of_relevant && !has_match(l) ? 0.0 : source.list_weight(l);
    };
    const weighted_mean mean(tops.size(), weight, batch.reduction, direction);
    const std::span<double> own = columns ? values.last(batch.columns) : values.first(batch.rows);
    const output_sink<matrix_source<T, R>> sink(source, added.gradient, added);
    for (std::size_t l = 0; l < tops.size(); ++l) {
      const auto& top = tops[l];
      if (top.count == 0 || !has_match(l)) continue;
      const strided<const T> scores = source.scores(l);
      const double h = hinges.hinge(top.score, scores[l]);
      if (!(h > 0.0)) continue;
      own[l] = h;
      if (out.gradient.empty()) continue;
      const double share = mean.share(weight(l));
      sink.commit_item(l, l, T{-1}, share);
      const T slope = static_cast<T>(1.0 / static_cast<double>(top.count));
      sink.commit_item(l, top.first, slope, share);
      for (std::size_t i = top.first + 1, left = top.count - 1; left > 0; ++i) {
        if (i == l || scores[i] != top.score) continue;
        sink.commit_item(l, i, slope, share);
        --left;
      }
    }
    sum = held_sum(sum, mean(tops.size(), weight, [&](std::size_t l) { return own[l]; }));
  }
  std::copy_n(values.begin(), out.per_list.size(), out.per_list.begin());
  return sum;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
