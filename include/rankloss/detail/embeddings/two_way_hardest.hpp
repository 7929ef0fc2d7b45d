// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/embeddings/index_panels.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The hardest negative of each row and of each column, where row i matches column i, in one pass over the
/// similarities: one product, because only a few pairs have a slope.
template <class Arch, class T>
class two_way_hardest {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t w = V::size;
  static constexpr T lowest = std::numeric_limits<T>::lowest();

 public:
  /// The hardest negative of a row or a column.
  struct line_top {
    T top = lowest;
    std::uint32_t index = 0;  ///< of the first such
    std::uint32_t count = 0;  ///< of equally hard ones; 0: there is no negative
  };

  two_way_hardest(const vector_block<const T>& rows, const vector_block<const T>& columns, context& ctx)
      : panels_(rows, columns, ctx),
        rows_(ctx.scratch().take<line_top>(rows.count)),
        columns_(ctx.scratch().take<line_top>(columns.count)) {
    std::fill(rows_.begin(), rows_.end(), line_top{});
    std::fill(columns_.begin(), columns_.end(), line_top{});
    const std::span<line_top> parts = ctx.scratch().take<line_top>(panels_.height() * panels_.parts());
    panels_.for_each(
        [&](std::size_t worker, const similarity_part<T>& part, std::size_t number) {
          const std::span<line_top> own = parts.subspan(number * panels_.height(), panels_.height());
          for (std::size_t i = part.first_row; i < part.last_row; ++i)
            own[i - part.first_row] = top_of_row(part, i);
          take_columns(part, ctx.scratch(worker));
        },
        [&](std::size_t first, std::size_t last, const vector_block<T>&) {
          for (std::size_t i = first; i < last; ++i)
            for (std::size_t number = 0; number < panels_.parts(); ++number)
              add(rows_[i], parts[number * panels_.height() + (i - first)]);
        });
  }

  [[nodiscard]] std::span<const line_top> rows() const noexcept { return rows_; }
  [[nodiscard]] std::span<const line_top> columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t matches() const noexcept { return panels_.matches(); }
  [[nodiscard]] double match(std::size_t i) const noexcept { return panels_.match(i); }

 private:
  static void add(line_top& line, const line_top& other) noexcept {
    if (other.count == 0) return;
    if (line.count == 0 || other.top > line.top)
      line = other;
    else if (other.top == line.top)
      line.count += other.count;
  }

  static line_top top_of_row(const similarity_part<T>& part, std::size_t i) noexcept {
    const T* s = part.row(i);
    V most(lowest);
    std::size_t j = part.first_column;
    for (; j + w <= part.last_column; j += w) most = xsimd::max(most, V::load_unaligned(s + j));
    alignas(64) T row[w];
    most.store_aligned(row);
    line_top found{*std::max_element(row, row + w)};
    for (; j < part.last_column; ++j) found.top = std::max(found.top, s[j]);
    if (!(found.top > lowest)) return {};
    for (j = part.first_column; j < part.last_column; ++j) {
      if (s[j] != found.top) continue;
      if (found.count++ == 0) found.index = static_cast<std::uint32_t>(j);
    }
    return found;
  }

  /// No other part of the panel has these columns.
  void take_columns(const similarity_part<T>& part, workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::size_t n = part.last_column - part.first_column;
    const std::span<T> tops = scratch.take<T>(n);
    std::fill(tops.begin(), tops.end(), lowest);
    for (std::size_t i = part.first_row; i < part.last_row; ++i) {
      const T* s = part.row(i) + part.first_column;
      for (std::size_t j = 0; j < n; ++j) tops[j] = s[j] > tops[j] ? s[j] : tops[j];
    }
    const std::span<std::uint32_t> counts = scratch.take<std::uint32_t>(n);
    const std::span<std::uint32_t> indices = scratch.take<std::uint32_t>(n);
    std::fill(counts.begin(), counts.end(), 0u);
    std::fill(indices.begin(), indices.end(), 0u);
    for (std::size_t i = part.last_row; i-- > part.first_row;) {
      const T* s = part.row(i) + part.first_column;
      for (std::size_t j = 0; j < n; ++j) {
        const bool equal = s[j] == tops[j];
        counts[j] += equal ? 1u : 0u;
        indices[j] = equal ? static_cast<std::uint32_t>(i) : indices[j];
      }
    }
    for (std::size_t j = 0; j < n; ++j)
      if (tops[j] > lowest) add(columns_[part.first_column + j], {tops[j], indices[j], counts[j]});
  }

  index_panels<T> panels_;
  std::span<line_top> rows_;
  std::span<line_top> columns_;
};

/// A line with a hinge above 0: its match falls, its hardest negative rises. Where the line is a row, `row` is
/// its vector and `column` and `other` are columns; where it is a column, the other way round.
template <class T>
struct hardest_move {
  std::uint32_t row, column, other;
  T slope;
};

/// Adds slope (y_other - y_own) to the derivative by x and the like, a range of components in each task.
template <class T>
void move_hardest(std::span<const hardest_move<T>> by_rows, std::span<const hardest_move<T>> by_columns,
                  const vector_block<const T>& x, const vector_block<const T>& y, const vector_block<T>& dx,
                  const vector_block<T>& dy, context& ctx) {
  constexpr std::size_t chunk = 64;
  ctx.run((x.dimension + chunk - 1) / chunk, [&](std::size_t, std::size_t task) {
    const std::size_t first = task * chunk;
    const std::size_t last = std::min(x.dimension, first + chunk);
    const auto add = [&](const vector_block<T>& sums, std::size_t to, T factor, const T* from) {
      if (to >= sums.count) return;
      T* sum = sums[to];
      for (std::size_t k = first; k < last; ++k) sum[k] += factor * from[k];
    };
    const auto move_all = [&](std::span<const hardest_move<T>> moves, const vector_block<const T>& lists,
                              const vector_block<T>& list_sums, const vector_block<const T>& items,
                              const vector_block<T>& item_sums) {
      for (const hardest_move<T>& m : moves) {
        add(list_sums, m.row, m.slope, items[m.other]);
        add(list_sums, m.row, -m.slope, items[m.column]);
        add(item_sums, m.other, m.slope, lists[m.row]);
        add(item_sums, m.column, -m.slope, lists[m.row]);
      }
    };
    move_all(by_rows, x, dx, y, dy);
    move_all(by_columns, y, dy, x, dx);
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
