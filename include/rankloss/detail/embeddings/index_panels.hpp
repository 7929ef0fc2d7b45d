// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/embeddings/products.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The number of pieces of a size that hold `count`.
[[nodiscard]] constexpr std::size_t pieces(std::size_t count, std::size_t size) noexcept {
  return (count + size - 1) / size;
}

/// Lists of a panel, where each list has `width` items. No result depends on the number of threads, because
/// this does not.
[[nodiscard]] inline std::size_t panel_lists(std::size_t lists, std::size_t width) noexcept {
  return std::min(lists, std::clamp(tuning::panel_items / std::max<std::size_t>(1, width),
                                    tuning::least_panel_lists, tuning::most_panel_lists));
}

/// A part of the similarities: those of the rows [first_row, last_row) and the columns [first_column,
/// last_column), at scores[(i - first_row) * stride + j].
template <class T>
struct similarity_part {
  std::size_t first_row, last_row, first_column, last_column;
  T* scores;
  std::size_t stride;

  [[nodiscard]] T* row(std::size_t i) const noexcept { return scores + (i - first_row) * stride; }
};

/// The similarities of rows and columns where row i matches column i, panel by panel and in parts of a panel
/// that run in parallel. For losses that look at rows and columns at the same time.
///
/// In place of the similarity of a match there is the least number, so that maxima and sums of exponentials
/// are those of the negatives.
template <class T>
class index_panels {
 public:
  static constexpr std::size_t part_columns = tuning::product_items;

  index_panels(const vector_block<const T>& rows, const vector_block<const T>& columns, context& ctx)
      : rows_(rows),
        columns_(columns),
        context_(ctx),
        height_(panel_lists(rows.count, columns.count)),
        panel_(ctx.scratch().take<T>(height_ * columns.count)),
        matches_(ctx.scratch().take<T>(std::min(rows.count, columns.count))) {}

  [[nodiscard]] std::size_t rows() const noexcept { return rows_.count; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_.count; }
  [[nodiscard]] std::size_t matches() const noexcept { return matches_.size(); }
  [[nodiscard]] std::size_t parts() const noexcept { return pieces(columns_.count, part_columns); }
  [[nodiscard]] std::size_t height() const noexcept { return height_; }
  /// The similarity of match i, once its part has been there.
  [[nodiscard]] double match(std::size_t i) const noexcept { return static_cast<double>(matches_[i]); }

  /// Calls body(worker, part, number of the part) for the parts of each panel, and after each panel
  /// end(first row, last row, panel), where `panel` is what the body has made of the similarities.
  template <class Body, class End>
  void for_each(const Body& body, const End& end) {
    for (std::size_t first = 0; first < rows_.count; first += height_) {
      const std::size_t last = std::min(rows_.count, first + height_);
      const vector_block<T> panel{panel_.data(), last - first, columns_.count, columns_.count};
      context_.run(parts(), [&](std::size_t worker, std::size_t number) {
        const std::size_t begin = number * part_columns;
        const similarity_part<T> part{first,         last,
                                      begin,         std::min(columns_.count, begin + part_columns),
                                      panel_.data(), columns_.count};
        similarities<T>(rows_.part(first, last), columns_.part(begin, part.last_column),
                        panel.components(begin, part.last_column));
        hide_matches(part);
        body(worker, part, number);
      });
      end(first, last, panel);
    }
  }

 private:
  void hide_matches(const similarity_part<T>& part) const {
    const std::size_t end = std::min({part.last_row, part.last_column, matches_.size()});
    for (std::size_t i = std::max(part.first_row, part.first_column); i < end; ++i) {
      T& s = part.row(i)[i];
      matches_[i] = s;
      s = std::numeric_limits<T>::lowest();
    }
  }

  vector_block<const T> rows_;
  vector_block<const T> columns_;
  context& context_;
  std::size_t height_;
  std::span<T> panel_;    // [height, columns]
  std::span<T> matches_;  // [matches]
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
