// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/best_match.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The same matrix with rows and columns exchanged, as far as best_matches reads it.
template <class T, class R>
[[nodiscard]] similarity_batch<T, R> transposed(const similarity_batch<T, R>& batch) {
  const auto turned = [&](const auto& field, const pair_strides& strides) {
    return field.as(matrix_shape{batch.columns, batch.rows, strides.column, strides.row});
  };
  return {.similarity = turned(batch.similarity, similarity_strides(batch)),
          .rows = batch.columns,
          .columns = batch.rows,
          .matches = turned(batch.matches, strides_of(batch.matches, batch.columns)),
          .row_classes = batch.column_classes,
          .column_classes = batch.row_classes,
          .mask = turned(batch.mask, strides_of(batch.mask, batch.columns)),
          .without_diagonal = batch.without_diagonal,
          .row_ids = batch.column_ids,
          .column_ids = batch.row_ids};
}

/// Finds the best match of every row and of every column of a matrix, and counts the items above it and tied
/// with it. Both directions read the matrix in place: rows one by one, columns a chunk at a time from the
/// first row to the last. This is fast where the items of a row are contiguous.
template <class T, class R>
class best_matches {
 public:
  best_matches(const similarity_batch<T, R>& batch, context& ctx)
      : batch_(batch),
        strides_(similarity_strides(batch)),
        match_strides_(strides_of(batch.matches, batch.columns)),
        leaves_out_(leaves_out_pairs(batch)),
        rows_(ctx.scratch().take<best_match>(batch.rows)),
        columns_(ctx.scratch().take<best_match>(batch.columns)),
        column_classes_(ctx.scratch().take<std::int64_t>(batch.column_classes.size())) {
    for (std::size_t j = 0; j < column_classes_.size(); ++j) column_classes_[j] = batch.column_classes[j];
    const std::size_t rows_a_task =
        std::max<std::size_t>(1, task_pairs / std::max<std::size_t>(1, batch.columns));
    const std::size_t row_tasks = (batch.rows + rows_a_task - 1) / rows_a_task;
    const std::size_t column_tasks = (batch.columns + chunk - 1) / chunk;
    ctx.run(row_tasks + column_tasks, [&](std::size_t, std::size_t task) {
      const auto run = [&](auto row_of) {
        if (task >= row_tasks) return run_columns((task - row_tasks) * chunk, row_of);
        const std::size_t end = std::min(batch_.rows, (task + 1) * rows_a_task);
        for (std::size_t i = task * rows_a_task; i < end; ++i) run_row(i, row_of(i));
      };
      if (strides_.column == 1)
        run([this](std::size_t i) { return batch_.similarity.data() + i * strides_.row; });
      else
        run([this](std::size_t i) {
          return strided<const T>(batch_.similarity.data() + i * strides_.row, batch_.columns,
                                  static_cast<std::ptrdiff_t>(strides_.column));
        });
    });
  }

  [[nodiscard]] std::span<const best_match> rows() const noexcept { return rows_; }
  [[nodiscard]] std::span<const best_match> columns() const noexcept { return columns_; }

 private:
  static constexpr std::size_t chunk = tuning::match_chunk;
  static constexpr std::size_t task_pairs = 1u
                                            << 16;  // enough work per task to hide the cost of handing it out

  /// Calls visit(j) for the columns [begin, end) of row i that take part. What does not may hold a NaN, which is
  /// not even compared: with -ffast-math a comparison with it may go either way.
  template <class Visit>
  void for_each_kept(std::size_t i, std::size_t begin, std::size_t end, Visit visit) const {
    if (leaves_out_) {
      for (std::size_t j = begin; j < end; ++j)
        if (keeps_pair(batch_, i, j)) visit(j);
    } else {
      for (std::size_t j = begin; j < end; ++j) visit(j);
    }
  }

  /// Calls visit(j) for the matches of row i among the columns [begin, end) that take part.
  template <class Visit>
  void for_each_match(std::size_t i, std::size_t begin, std::size_t end, Visit visit_any) const {
    const auto visit = [&](std::size_t j) {
      if (!leaves_out_ || keeps_pair(batch_, i, j)) visit_any(j);
    };
    if (!batch_.matches.empty()) {
      for (std::size_t j = begin; j < end; ++j)
        if (batch_.matches[match_strides_.at(i, j)]) visit(j);
    } else if (!batch_.row_classes.empty()) {
      const std::int64_t own = batch_.row_classes[i];
      for (std::size_t j = begin; j < end; ++j)
        if (column_classes_[j] == own) visit(j);
    } else if (i >= begin && i < end) {
      visit(i);
    }
  }

  static void take(T s, T& best, std::uint32_t& matching) noexcept {
    if (matching > 0 && !(s >= best)) return;
    matching = matching > 0 && s == best ? matching + 1 : 1;
    best = s;
  }

  template <class Row>
  void run_row(std::size_t i, const Row& row) {
    T best{};
    std::uint32_t matching = 0;
    for_each_match(i, 0, batch_.columns, [&](std::size_t j) { take(row[j], best, matching); });
    std::uint32_t above = 0;
    std::uint32_t tied = 0;
    const auto count = [&](std::size_t j) {
      above += row[j] > best ? 1u : 0u;
      tied += row[j] == best ? 1u : 0u;
    };
    for_each_kept(i, 0, batch_.columns, count);
    rows_[i] = {above, tied, matching};
  }

  template <class RowOf>
  void run_columns(std::size_t begin, const RowOf& row_of) {
    const std::size_t end = std::min(batch_.columns, begin + chunk);
    std::array<T, chunk> best{};
    std::array<std::uint32_t, chunk> matching{};
    std::array<std::uint32_t, chunk> above{};
    std::array<std::uint32_t, chunk> tied{};
    for (std::size_t i = 0; i < batch_.rows; ++i) {
      const auto row = row_of(i);
      for_each_match(i, begin, end,
                     [&](std::size_t j) { take(row[j], best[j - begin], matching[j - begin]); });
    }
    std::size_t i = 0;
    // Several rows at a time: the counts are loaded and stored once for all of them, and while one row is
    // waited for the others are on their way from memory.
    constexpr std::size_t together = 4;
    for (; !leaves_out_ && i + together <= batch_.rows; i += together) {
      const std::array rows{row_of(i), row_of(i + 1), row_of(i + 2), row_of(i + 3)};
      for (std::size_t j = begin; j < end; ++j) {
        const T own = best[j - begin];
        std::uint32_t more = 0;
        std::uint32_t same = 0;
        for (const auto& row : rows) {
          more += row[j] > own ? 1u : 0u;
          same += row[j] == own ? 1u : 0u;
        }
        above[j - begin] += more;
        tied[j - begin] += same;
      }
    }
    for (; i < batch_.rows; ++i) {
      const auto row = row_of(i);
      for_each_kept(i, begin, end, [&](std::size_t j) {
        above[j - begin] += row[j] > best[j - begin] ? 1u : 0u;
        tied[j - begin] += row[j] == best[j - begin] ? 1u : 0u;
      });
    }
    for (std::size_t j = begin; j < end; ++j)
      columns_[j] = {above[j - begin], tied[j - begin], matching[j - begin]};
  }

  const similarity_batch<T, R>& batch_;
  pair_strides strides_;
  pair_strides match_strides_;
  bool leaves_out_;
  std::span<best_match> rows_;
  std::span<best_match> columns_;
  std::span<std::int64_t> column_classes_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
